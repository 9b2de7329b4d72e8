"""Powertools as its documentation puts it together: resolver with validation, Logger, Metrics, Tracer."""

from typing import Any

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.metrics import MetricUnit
from plain import Plain
from rows import body_and_predictions


def make(name: str, path: str) -> Any:
    model = Plain(name, path)
    Body, Predictions = body_and_predictions(name)  # noqa: N806
    logger = Logger(service="infer")
    metrics = Metrics(namespace="bench", service="infer")
    tracer = Tracer(service="infer")
    app = APIGatewayHttpResolver(enable_validation=True)

    @app.post("/predict")
    @tracer.capture_method(capture_response=False)
    def predict(body: Body) -> Predictions:
        logger.info("predict", extra={"instances": len(body.instances)})
        metrics.add_metric("Instances", MetricUnit.Count, len(body.instances))
        return Predictions(predictions=model.predict([instance.__dict__ for instance in body.instances]))

    @logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_HTTP)
    @tracer.capture_lambda_handler(capture_response=False)
    @metrics.log_metrics
    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        return app.resolve(event, context)

    return handler
