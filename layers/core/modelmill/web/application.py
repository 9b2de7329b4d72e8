"""The control plane put together."""

from modelmill.web.control import ControlPlane, Services
from modelmill.web.routes import base_models, datasets, keys, models, service, training_jobs


def control_plane(services: Services, cors_origin: str = "") -> ControlPlane:
    """The application with all its routes."""
    control = ControlPlane(services, cors_origin)
    for routes in (service, datasets, base_models, training_jobs, models, keys):
        routes.add(control)
    return control
