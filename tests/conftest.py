"""What all folders of pytest tests share: their marks, and the order of files, several of which are run at once."""
import os

# Those that take longest go first, so that none is left alone at the end.
LONG = ("test_sessions.py", "test_mutated_frames.py", "test_memory.py", "test_restart.py", "test_slow_disk.py",
        "test_kill.py", "test_differential.py", "test_kazoo_suite.py", "test_tours.py", "test_registry_flow.py")


def pytest_configure(config):
    config.addinivalue_line("markers", "alone: a moment's wait for a processor would be taken for the "
                            "server's; tools/check runs nothing beside it")


def pytest_collection_modifyitems(items):
    order = {name: index for index, name in enumerate(LONG)}
    items.sort(key=lambda item: order.get(os.path.basename(str(item.path)), len(LONG)))
