"""The control plane put together."""

from modelmill.web.control import ControlPlane, Services
from modelmill.web.routes import datasets, keys, models, service, training_jobs


def control_plane(services: Services, cors_origin: str = "") -> ControlPlane:
    """The application with all its routes."""
    control = ControlPlane(services, cors_origin)
    for routes in (service, datasets, training_jobs, models, keys):
        routes.add(control)
    return control
