"""The machines of a job, as SageMaker tells each of them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from modelmill_training.environment import Environment

# Where TensorFlow looks for the machines of a job.
CLUSTER_VARIABLE = "TF_CONFIG"

# Where machines that share one address are told apart by ports: "host:port" of each, in the order of the hosts.
ADDRESSES_VARIABLE = "MODELMILL_ADDRESSES"

# Of TensorFlow's gRPC server; a container has all its ports to itself.
PORT = 2222


@dataclass(frozen=True, slots=True)
class Cluster:
    """All machines, in the same order on each, and which of them this one is."""

    addresses: tuple[str, ...]
    rank: int

    @classmethod
    def find(cls, environment: Environment, variables: Mapping[str, str]) -> "Cluster":
        """From resourceconfig.json; one machine where there is no such file."""
        try:
            config = json.loads(environment.resource_file.read_bytes())
        except FileNotFoundError:
            return cls(("localhost",), 0)
        hosts = sorted(config["hosts"], key=lambda host: (len(host), host))
        given = variables.get(ADDRESSES_VARIABLE)
        addresses = given.split(",") if given else [f"{host}:{PORT}" for host in hosts]
        return cls(tuple(addresses), hosts.index(config["current_host"]))

    @property
    def several(self) -> bool:
        """Whether there is more than this machine."""
        return len(self.addresses) > 1

    @property
    def chief(self) -> bool:
        """Whether this machine keeps checkpoints and writes the bundle."""
        return self.rank == 0

    def tf_config(self) -> str:
        """The value of TensorFlow's variable."""
        task = {"type": "worker", "index": self.rank}
        return json.dumps({"cluster": {"worker": list(self.addresses)}, "task": task})
