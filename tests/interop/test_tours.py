"""Programs that go through all that a client library offers, and say how each check ended: what ZooKeeper's own Java
client learned with 3.5 and later, Curator, and the C client. Debian's C client has no TLS: it uses the plain port.
"""
import pytest
from kazoo.client import KazooClient

from clients import Proxy, check_tour, serve_questions

# kazoo 2.8.0 uses what Python 3.11 gives up.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:kazoo")

TIMEOUT_S = 10.0
JAVA_CHECKS = ["container", "ttl", "multi_kinds", "multi_container_fails", "multi_read", "persistent_watch",
               "recursive_watch", "recursive_root", "watches_beside", "remove_data_watch", "remove_child_watch",
               "remove_any_watch", "remove_persistent_watch", "remove_all_watches", "remove_one_of_two", "ephemerals",
               "all_children_number", "who_am_i", "reconfig", "get_config", "quota", "quota_hard", "command_line",
               "asynchronous", "forms", "chroot", "server_list", "read_only_allowed", "rearm", "restart"]
CURATOR_CHECKS = ["znodes", "containers", "protection", "background", "namespace", "transaction", "access",
                  "ensemble", "watchers", "watchers_removed", "persistent_watcher", "leader_latch",
                  "leader_latch_session_killed", "leader_selector", "mutex", "mutex_contended",
                  "mutex_session_killed", "mutex_revoked", "multi_lock", "semaphore_mutex", "read_write_lock",
                  "semaphore", "semaphore_shared_count", "barrier", "double_barrier", "queue", "queue_safe",
                  "queue_priority", "queue_delay", "queue_id", "queue_simple", "persistent_node",
                  "persistent_ttl_node", "group_member", "shared_count", "shared_value", "atomic_long",
                  "atomic_promoted", "node_cache", "path_cache", "tree_cache", "curator_cache",
                  "curator_cache_single", "caches_session_killed", "discovery", "discovery_provider",
                  "discovery_cache", "discovery_session_killed", "discovery_provider_died", "connection_states",
                  "caches_reconnect", "restart"]
C_CHECKS = ["crud", "errors", "data", "modes", "container", "ttl", "children", "watches", "remove_watches", "multi",
            "multi_fails", "pipeline", "acl_digest", "sync", "config", "reconnect", "resume", "resume_wrong_password",
            "close"]


@pytest.fixture(scope="module")
def server(start_server):
    return start_server(plain=True, tickTime=500, extendedTypesEnabled="true", enforceQuota="true",
                        znode__container__checkIntervalMs=200)


@pytest.fixture
def admin(server, authority):
    client = KazooClient("127.0.0.1:%d" % server.tls_port, use_ssl=True, ca=authority.ca,
                         certfile=authority.cert("admin"), keyfile=authority.key("admin"), timeout=TIMEOUT_S,
                         connection_retry={"max_tries": -1, "max_delay": 0.5})
    client.start(30)
    yield client
    client.stop()
    client.close()


@pytest.fixture
def start_proxy():
    """start_proxy(port) gives one whose line can be cut."""
    made = []

    def start(port):
        made.append(Proxy(port))
        return made[-1]
    yield start
    for proxy in made:
        proxy.close()


def answers(server, proxy, admin):
    """What the programs ask for."""
    def cut(more):
        proxy.cut()
        admin.set(more["set"], b"changed")
        admin.delete(more["delete"])
        admin.create(more["create"])
        proxy.heal()

    def restart(_):
        server.kill()
        server.start()
    return {"cut": cut, "restart": restart}


def test_java_extended(tools, server, start_proxy, admin):
    proxy = start_proxy(server.tls_port)
    client = tools.java("ExtendedCheck", "consumer-java", "127.0.0.1:%d" % proxy.port, "%d" % (TIMEOUT_S * 1000))
    serve_questions(client, answers(server, proxy, admin))
    check_tour(client, JAVA_CHECKS)


def test_curator(tools, server, start_proxy, admin):
    proxy = start_proxy(server.tls_port)
    client = tools.java("CuratorCheck", "consumer-java", "127.0.0.1:%d" % proxy.port, "%d" % (TIMEOUT_S * 1000))
    serve_questions(client, answers(server, proxy, admin))
    check_tour(client, CURATOR_CHECKS)


def test_c_client(tools, server, start_proxy, admin):
    proxy = start_proxy(server.port)
    client = tools.start("c-api", [tools.build_c(), "127.0.0.1:%d" % proxy.port, "%d" % (TIMEOUT_S * 1000)])
    serve_questions(client, answers(server, proxy, admin))
    check_tour(client, C_CHECKS)
