# SPDX-License-Identifier: Apache-2.0
"""What a server says about itself."""
import grpc_health_pb2 as health
from banyandb import common_pb2, database_pb2 as db

from scripts import DATABASE

CHECK = "/grpc.health.v1.Health/Check"


def node(reply):
    """That there is a node with these roles; names and addresses are the machine's."""
    return {"roles": [db.Role.Name(r) for r in reply.node.roles]}


def script(world):
    world.unary("service.health", CHECK, health.HealthCheckRequest(), health.HealthCheckResponse)
    world.unary("service.health.unknown-service", CHECK, health.HealthCheckRequest(service="other"),
                health.HealthCheckResponse)
    world.unary("service.api-version", "/banyandb.common.v1.Service/GetAPIVersion",
                common_pb2.GetAPIVersionRequest(), common_pb2.GetAPIVersionResponse)
    world.unary("service.current-node", DATABASE + "NodeQueryService/GetCurrentNode",
                db.GetCurrentNodeRequest(), db.GetCurrentNodeResponse, reduce=node)
    world.unary("service.unknown-method", DATABASE + "GroupRegistryService/NoSuchMethod",
                db.GetCurrentNodeRequest(), db.GetCurrentNodeResponse)
    world.unary("service.unknown-service", "/banyandb.database.v1.NoSuchService/Get",
                db.GetCurrentNodeRequest(), db.GetCurrentNodeResponse)
