"""The programs of test_tours.py and test_clients_api.py leave out no call that ZooKeeper's own Java client and its C
client, as Debian has them, offer. What is left out by name never reaches a server.
"""
import glob
import os
import re
import subprocess

import pytest

from clients import HERE, class_path, other_jars

ZOOKEEPER = "org.apache.zookeeper."
JAVA_LEFT_OUT = {
    ("getClientConfig", "()L%s;" % (ZOOKEEPER + "client.ZKClientConfig").replace(".", "/")),
    ("getSaslClient", "()L%s;" % (ZOOKEEPER + "client.ZooKeeperSaslClient").replace(".", "/")),
    ("toString", "()Ljava/lang/String;"),
}
C_HEADER = "/usr/include/zookeeper/zookeeper.h"
C_LEFT_OUT = {
    # The handle, and which server is asked next.
    "zookeeper_init2", "zoo_set_servers", "zoo_set_servers_resolution_delay", "zoo_cycle_next_server",
    "zoo_get_current_server", "zoo_deterministic_conn_order", "zookeeper_get_connected_host", "zoo_get_context",
    "zoo_set_context", "zoo_set_watcher", "zoo_state", "is_unrecoverable",
    # What it logs.
    "zerror", "zoo_set_log_stream", "zoo_get_log_callback", "zoo_set_log_callback",
    # Debian's library is the one with threads, and has neither TLS nor SASL.
    "zookeeper_interest", "zookeeper_process", "zookeeper_init_ssl", "close_zsock", "zookeeper_init_sasl",
    "zoo_sasl_make_basic_callbacks",
}


def javap(*arguments):
    return subprocess.run(["/usr/bin/javap", *arguments], capture_output=True, text=True, check=True).stdout


def java_calls(classes):
    """{(name, descriptor)} of all calls of ZooKeeper's in these files; constructors have the name of their class."""
    said = javap("-p", "-c", *classes)
    found = re.findall(r'Method org/apache/zookeeper/(?:admin/)?(ZooKeeper(?:Admin)?)\."?([\w<>]+)"?:(\S+)', said)
    return {(owner if name == "<init>" else name, descriptor) for owner, name, descriptor in found}


def java_offers(name):
    """The same of what the class offers."""
    said = javap("-cp", class_path(), "-public", "-s", ZOOKEEPER + name)
    return {(method.rpartition(".")[2], descriptor)
            for method, descriptor in re.findall(r"([\w.]+)\(.*\n +descriptor: (\S+)", said)}


@pytest.mark.skipif(bool(other_jars()), reason="Debian's client is the one that is gone through")
def test_java(tools):
    offered = java_offers("ZooKeeper") | java_offers("admin.ZooKeeperAdmin")
    called = java_calls(glob.glob(os.path.join(tools.build_java(), "*.class")))
    assert len(offered) > 80
    assert offered - called == JAVA_LEFT_OUT


def test_c():
    """A call that waits is made of one that does not, and what takes no watcher of the one that does."""
    with open(C_HEADER, encoding="utf-8") as file:
        offered = set(re.findall(r"^ZOOAPI [^(;]*?\b(\w+)\(", file.read(), re.MULTILINE))
    called = set()
    for path in glob.glob(os.path.join(HERE, "c", "*.c")):
        with open(path, encoding="utf-8") as file:
            called |= set(re.findall(r"\bz\w+(?=\()", file.read()))
    for name in list(called):
        called |= {re.sub("^zoo_", "zoo_" + way, name) for way in ("a", "w", "aw")}
    assert len(offered) > 70
    assert offered - called == C_LEFT_OUT
