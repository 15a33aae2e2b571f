"""A client of revokd's gRPC door that knows no .proto file: it learns all of it by reflection.

For each line of JSON on stdin, one on stdout. A line is {"do": "check", "key", "headers"?, "payload"?}, {"do": "health"} or
{"do": "services"}. The address is in REVOKD.
"""

import json
import os
import sys

import grpc
from google.protobuf import descriptor_pool, json_format, message_factory
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

SERVICE = "envoy.service.auth.v3.Authorization"

channel = grpc.insecure_channel(os.environ["REVOKD"])
described = ProtoReflectionDescriptorDatabase(channel)
pool = descriptor_pool.DescriptorPool(described)


def message(name):
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("envoy.service.auth.v3." + name))


def check(asked):
    attributes = {"request": {"http": {"headers": asked.get("headers", {})}}}
    if "payload" in asked:
        verified = {"envoy.filters.http.jwt_authn": {"payload": asked["payload"]}}
        attributes["metadataContext"] = {"filterMetadata": verified}
    request = json_format.ParseDict({"attributes": attributes}, message("CheckRequest")())
    call = channel.unary_unary(
        f"/{SERVICE}/Check",
        request_serializer=lambda request: request.SerializeToString(),
        response_deserializer=message("CheckResponse").FromString,
    )
    try:
        answer = call(request, metadata=[("x-api-key", asked["key"])], timeout=10)
    except grpc.RpcError as error:
        return {"code": error.code().name}
    return {"code": "OK"} | json_format.MessageToDict(answer)


def health():
    stub = health_pb2_grpc.HealthStub(channel)
    known = [stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=10) for name in ("", SERVICE)]
    watched = next(stub.Watch(health_pb2.HealthCheckRequest(), timeout=10))
    return [health_pb2.HealthCheckResponse.ServingStatus.Name(said.status) for said in [*known, watched]]


for line in sys.stdin:
    asked = json.loads(line)
    if asked["do"] == "check":
        answer = check(asked)
    elif asked["do"] == "health":
        answer = health()
    else:
        answer = sorted(described.get_services())
    print(json.dumps(answer), flush=True)
