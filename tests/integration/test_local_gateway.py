"""The gateway's events, routes and errors against API Gateway's payload format 2.0."""

import base64
import json
import socket
import threading

import httpx
import pytest

from modelmill_local.functions import EventTooLargeError
from modelmill_local.gateway import Cors, Gateway, make_route
from modelmill_local.instance import Outcome


class Echo:
    """Answers with the event that it got, or as it is told."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.answer: bytes | Exception | Outcome | None = None

    def invoke(self, event: bytes) -> Outcome:
        if isinstance(self.answer, Exception):
            raise self.answer
        if isinstance(self.answer, Outcome):
            return self.answer
        body = json.dumps({"target": self.name, "event": json.loads(event)})
        return Outcome(self.answer or json.dumps({"statusCode": 200, "body": body}).encode())


@pytest.fixture
def api():
    return Echo("api")


@pytest.fixture
def serve(api):
    running = []

    def start(cors: Cors | None = None) -> httpx.Client:
        listener = socket.create_server(("127.0.0.1", 0))
        routes = [
            make_route("ANY", "$default", api),
            make_route("POST", "/v1/models/{model}/predict", Echo("infer")),
            make_route("ANY", "/v2/{rest+}", Echo("v2")),
        ]
        gateway = Gateway(listener, routes, cors or Cors())
        gateway.start()
        client = httpx.Client(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}")
        running.extend([client, gateway])
        return client

    yield start
    for part in running:
        part.close()


def seen(response: httpx.Response):
    assert response.status_code == 200, response.text
    return response.json()["event"]


def test_an_event_has_the_form_of_payload_2(serve):
    client = serve()
    event = seen(
        client.post(
            "/v1/datasets?limit=2&tag=a&tag=b&empty=",
            json={"name": "é"},
            headers=[("X-Api-Key", "k"), ("X-Twice", "1"), ("x-twice", "2"), ("Cookie", "a=1; b=2")],
        )
    )
    context = event.pop("requestContext")
    headers = event.pop("headers")
    assert event == {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/v1/datasets",
        "rawQueryString": "limit=2&tag=a&tag=b&empty=",
        "queryStringParameters": {"limit": "2", "tag": "a,b", "empty": ""},
        "cookies": ["a=1", "b=2"],
        "body": '{"name":"é"}',
        "isBase64Encoded": False,
    }
    assert headers["x-api-key"] == "k"
    assert headers["x-twice"] == "1,2"
    assert "cookie" not in headers
    assert context["http"] | {"userAgent": ""} == {
        "method": "POST",
        "path": "/v1/datasets",
        "protocol": "HTTP/1.1",
        "sourceIp": "127.0.0.1",
        "userAgent": "",
    }
    assert context["stage"] == "$default"
    assert context["requestId"]
    assert isinstance(context["timeEpoch"], int)


def test_the_most_specific_route_wins(serve):
    client = serve()
    predict = client.post("/v1/models/caf%C3%A9/predict", json={}).json()
    assert predict["target"] == "infer"
    assert predict["event"]["routeKey"] == "POST /v1/models/{model}/predict"
    assert predict["event"]["pathParameters"] == {"model": "café"}
    assert predict["event"]["rawPath"] == "/v1/models/café/predict"
    assert client.get("/v1/models/m/predict").json()["target"] == "api"
    assert client.post("/v1/models/a/b/predict").json()["target"] == "api"
    greedy = client.put("/v2/models/a/infer").json()
    assert (greedy["target"], greedy["event"]["pathParameters"]) == ("v2", {"rest": "models/a/infer"})
    assert greedy["event"]["routeKey"] == "ANY /v2/{rest+}"


def test_an_api_without_a_default_route_answers_not_found(api):
    gateway = Gateway(socket.socket(), [make_route("GET", "/a", api)], Cors())
    gateway.close()
    from modelmill_local.wire import Request

    response = gateway.answer(Request("GET", "/b", "HTTP/1.1", [], b""), "127.0.0.1")
    assert (response.status, response.body) == (404, b'{"message":"Not Found"}')


@pytest.mark.parametrize(
    ("content_type", "body", "encoded"),
    [
        ("application/json; charset=utf-8", b"{}", False),
        ("text/csv", b"a,b", False),
        ("application/json", b"\x1f\x8b\xff", True),
        ("application/octet-stream", b"abc", True),
        ("application/x-www-form-urlencoded", b"a=1", True),
        (None, b"abc", True),
    ],
)
def test_binary_bodies_travel_as_base64(serve, content_type, body, encoded):
    headers = {"content-type": content_type} if content_type else {}
    event = seen(serve().post("/x", content=body, headers=headers))
    assert event["isBase64Encoded"] is encoded
    assert (base64.b64decode(event["body"]) if encoded else event["body"].encode()) == body


def test_answers_are_translated_back(serve, api):
    client = serve()
    answer = {
        "statusCode": 201,
        "headers": {"Content-Type": "application/octet-stream", "X-Flag": True, "content-length": "999"},
        "cookies": ["a=1", "b=2"],
        "body": base64.b64encode(b"\x00\xff").decode(),
        "isBase64Encoded": True,
    }
    api.answer = json.dumps(answer).encode()
    response = client.get("/")
    assert (response.status_code, response.content) == (201, b"\x00\xff")
    assert response.headers["x-flag"] == "true"
    assert response.headers.get_list("set-cookie") == ["a=1", "b=2"]

    api.answer = b'{"free": "form"}'
    response = client.get("/")
    assert (response.status_code, response.json()) == (200, {"free": "form"})
    assert response.headers["content-type"] == "application/json"

    api.answer = b'{"statusCode": 204}'
    assert client.delete("/").status_code == 204
    assert client.head("/").content == b""


@pytest.mark.parametrize(
    ("answer", "status", "text"),
    [
        (Outcome(b'{"errorMessage": "secret"}', failed=True), 500, "Internal Server Error"),
        (b'{"statusCode": 200, "body": NaN}', 500, "Internal Server Error"),
        (b'{"statusCode": "x"}', 500, "Internal Server Error"),
        (b'{"statusCode": 200, "body": {"a": 1}}', 500, "Internal Server Error"),
        (b'{"statusCode": 200, "headers": {"x": "a\\r\\nb: c"}}', 500, "Internal Server Error"),
        (EventTooLargeError(), 413, "Request Entity Too Large"),
    ],
)
def test_failures_are_answered_as_api_gateway_answers_them(serve, api, answer, status, text):
    api.answer = answer
    response = serve().get("/")
    assert (response.status_code, response.json()) == (status, {"message": text})


def test_requests_over_the_limits_are_refused_and_the_client_hears_it(serve):
    client = serve()
    assert client.post("/", content=b"x" * 10_500_000).status_code == 413
    assert client.get("/", headers={"x-long": "x" * 11_000}).status_code == 431
    assert client.get("/").status_code == 200


def raw(client: httpx.Client, data: bytes) -> bytes:
    with socket.create_connection((client.base_url.host, client.base_url.port)) as sock:
        sock.sendall(data)
        sock.settimeout(5)
        pieces = []
        while piece := sock.recv(65_536):
            pieces.append(piece)
        return b"".join(pieces)


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/2.0\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: -5\r\n\r\n",
        b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_what_is_not_http_gets_400(serve, data):
    assert raw(serve(), data).startswith(b"HTTP/1.1 400 ")


def test_chunked_bodies_and_expect_are_understood(serve):
    client = serve()
    event = seen(client.post("/", content=iter([b"ab", b"cd"]), headers={"content-type": "text/plain"}))
    assert event["body"] == "abcd"
    request = b"POST / HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}"
    assert raw(client, request).startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")


def test_a_connection_serves_many_requests(serve):
    client = serve()
    with socket.create_connection((client.base_url.host, client.base_url.port)) as sock:
        reader = sock.makefile("rb")
        for _ in range(3):
            sock.sendall(b"HEAD /x HTTP/1.1\r\nhost: a\r\n\r\n")
            assert reader.readline() == b"HTTP/1.1 200 OK\r\n"
            while reader.readline() != b"\r\n":
                pass
        reader.close()


def test_many_clients_at_once(serve):
    client = serve()
    statuses = []
    threads = [threading.Thread(target=lambda: statuses.append(client.get("/").status_code)) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 40


PREFLIGHT = {"origin": "https://app.example", "access-control-request-method": "POST"}


def test_cors_is_the_templates(serve):
    cors = Cors(("https://app.example",), ("GET", "POST"), ("x-api-key",), (), 600)
    client = serve(cors)
    preflight = client.options("/v1/x", headers=PREFLIGHT)
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == "https://app.example"
    assert preflight.headers["access-control-allow-methods"] == "GET,POST"
    assert preflight.headers["access-control-allow-headers"] == "x-api-key"
    assert preflight.headers["access-control-max-age"] == "600"
    allowed = client.get("/", headers={"origin": "https://app.example"})
    assert allowed.headers["access-control-allow-origin"] == "https://app.example"
    foreign = client.options("/", headers=PREFLIGHT | {"origin": "https://evil.example"})
    assert "access-control-allow-origin" not in foreign.headers
    assert "access-control-allow-origin" not in client.get("/").headers


def test_without_cors_a_preflight_is_an_ordinary_request(serve):
    response = serve().options("/v1/x", headers=PREFLIGHT)
    assert response.json()["event"]["requestContext"]["http"]["method"] == "OPTIONS"
    assert "access-control-allow-origin" not in response.headers
