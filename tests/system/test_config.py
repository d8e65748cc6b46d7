"""The command line and the configuration file: what is checked, and how it is said."""
import os
import subprocess

import pytest

import servers


@pytest.fixture(name="run")
def fixture_run(tmp_path):
    def run(*args, config=None):
        if config is not None:
            (tmp_path / "zoo.cfg").write_text(config)
            args += (str(tmp_path / "zoo.cfg"),)
        return subprocess.run([servers.find_zoolited(), *args], capture_output=True, text=True,
                              timeout=60, check=False, cwd=tmp_path)
    return run


GOOD = "dataDir=/nonexistent\nclientPort=2181\n"


def test_version(run):
    done = run("-V")
    assert done.returncode == 0
    assert done.stdout.startswith("zoolited ") and done.stderr == ""


def test_help(run):
    done = run("-h")
    assert done.returncode == 0
    assert done.stdout.startswith("usage: zoolited") and done.stderr == ""


@pytest.mark.parametrize("args", [(), ("-x",), ("--help",), ("-x", "a"), ("a", "b"), ("-t",), ("-t", "a", "b")])
def test_wrong_command_lines(run, args):
    done = run(*args)
    assert done.returncode == 2
    assert done.stdout == "" and done.stderr.startswith("zoolited: ") and done.stderr.count("\n") == 1


def test_wrong_option_is_named(run):
    assert "-x" in run("-x", "a").stderr


def test_missing_file(run):
    done = run("-t", "/nonexistent/zoo.cfg")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and "/nonexistent/zoo.cfg" in done.stderr


def test_good_file(run):
    done = run("-t", config=GOOD)
    assert (done.returncode, done.stderr) == (0, "")


def test_properties_of_an_ensemble_are_passed_over(run):
    done = run("-t", config=GOOD + "server.1=a:2888:3888\ninitLimit=10\nsyncLimit=5\n"
               "autopurge.purgeInterval=1\n")
    assert done.returncode == 0


@pytest.mark.parametrize("line", [
    "clientPort=hello", "clientPort=70000", "clientPort=-7", "tickTime=0", "tickTime=", "maxClientCnxns=-1",
    "ssl.clientAuth=maybe", "noSuchProperty=1", "zoolite.noSuchProperty=1", "jute.maxbuffer=lots",
    "zoolite.segmentSize=1", "zoolite.replayDelay=-5"])
def test_bad_lines_are_named(run, tmp_path, line):
    """file:line: reason, in one line, status 2; with and without -t."""
    text = "# a comment\n" + GOOD + "\n" + line + "\n"
    for args in (("-t",), ()):
        done = run(*args, config=text)
        assert done.returncode == 2, done.stderr
        assert done.stderr.startswith("%s:5: " % (tmp_path / "zoo.cfg")), done.stderr
        assert done.stderr.count("\n") == 1
        assert line.split("=")[0] in done.stderr


def test_secrets_are_not_repeated(run):
    """A bad line may hold a password."""
    for line in ("ssl.keyStore.pasword=hunter2", "ssl.keyStore.password=hunter2\nclientPort=x"):
        done = run("-t", config=GOOD + line + "\n")
        assert done.returncode == 2
        assert "hunter2" not in done.stderr + done.stdout


def test_no_data_directory(run):
    done = run("-t", config="clientPort=2181\n")
    assert done.returncode == 2 and "dataDir" in done.stderr


def test_tls_without_a_certificate(run):
    done = run("-t", config="dataDir=/x\nsecureClientPort=2281\n")
    assert done.returncode == 2 and done.stderr.count("\n") == 1


def test_no_port_at_all(run):
    done = run("-t", config="dataDir=/x\n")
    assert done.returncode == 2 and "lientPort" in done.stderr


def fails_to_start(server):
    server.start(wait=False)
    status = server.wait_exit()
    return status, server.log()


def tls_text(authority, **changed):
    """A configuration with TLS, as a text; a None leaves a property out."""
    properties = {"dataDir": "/nonexistent", "secureClientPort": 0, "zoolite.certFile": authority.cert("server"),
                  "zoolite.keyFile": authority.key("server"), "zoolite.trustFile": authority.ca}
    properties.update({name.replace("__", "."): value for name, value in changed.items()})
    return "".join("%s=%s\n" % item for item in properties.items() if item[1] is not None)


def expect_refused(run, tmp_path, text, *words):
    """The file is good, what it names is not: status 2 and one line "FILE: ..." with these words, -t or not."""
    for args in (("-t",), ()):
        done = run(*args, config=text)
        assert done.returncode == 2, (done.returncode, done.stderr)
        assert done.stdout == ""
        assert done.stderr.startswith("%s: " % (tmp_path / "zoo.cfg")) and done.stderr.count("\n") == 1, done.stderr
        for word in words:
            assert word in done.stderr


def test_good_files_of_tls(run, authority):
    done = run("-t", config=tls_text(authority))
    assert (done.returncode, done.stderr) == (0, "")
    done = run("-t", config=tls_text(authority, zoolite__trustFile=None, ssl__clientAuth="none"))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", ["certFile", "keyFile", "trustFile"])
def test_missing_file_of_tls(run, authority, tmp_path, name):
    gone = str(tmp_path / "gone.pem")
    expect_refused(run, tmp_path, tls_text(authority, **{"zoolite__" + name: gone}), gone,
                   "No such file or directory")


@pytest.mark.parametrize("name", ["certFile", "keyFile", "trustFile"])
def test_file_of_tls_that_is_none(run, authority, tmp_path, name):
    broken = tmp_path / "broken.pem"
    broken.write_text("nothing\n")
    expect_refused(run, tmp_path, tls_text(authority, **{"zoolite__" + name: str(broken)}), str(broken))


def test_key_of_another_certificate(run, authority, tmp_path):
    expect_refused(run, tmp_path, tls_text(authority, zoolite__keyFile=authority.key("client")),
                   authority.key("client"), authority.cert("server"))


def test_key_with_a_password(run, authority, tmp_path):
    """It is opened with the password; a wrong one, or none, is said and not repeated."""
    locked = str(tmp_path / "locked.key")
    subprocess.run(["openssl", "pkcs8", "-topk8", "-in", authority.key("server"), "-out", locked, "-passout",
                    "pass:hunter2"], check=True)
    good = tls_text(authority, zoolite__keyFile=locked, ssl__keyStore__password="hunter2")
    assert run("-t", config=good).returncode == 0
    bad = tls_text(authority, zoolite__keyFile=locked, ssl__keyStore__password="hunter3")
    expect_refused(run, tmp_path, bad, locked, "password")
    assert "hunter3" not in run("-t", config=bad).stderr
    expect_refused(run, tmp_path, tls_text(authority, zoolite__keyFile=locked), locked)


@pytest.mark.parametrize("text", ["clientPort=0\nclientPortAddress=%s\n", "secureClientPortAddress=%s\n"])
def test_address_that_means_nothing(run, authority, tmp_path, text):
    name = text.split("=")[-2].split("\n")[-1]
    expect_refused(run, tmp_path, tls_text(authority) + text % "::zz", name, "::zz")


def test_broken_certificate_stops_the_start(make_server, tmp_path):
    (tmp_path / "broken.pem").write_text("nothing\n")
    server = make_server.new(ssl__keyStore__location=str(tmp_path / "broken.pem"))
    status, log = fails_to_start(server)
    assert status == 2 and "broken.pem" in log
    assert not os.path.exists(os.path.join(server.data_dir, "tree.db")), "nothing was begun"


def test_port_in_use_stops_the_start(make_server):
    """A failure of this moment, no fault of the configuration, which -t finds good."""
    first = make_server()
    second = make_server.new(clientPort=first.port)
    status, log = fails_to_start(second)
    assert status == 1 and str(first.port) in log


def test_data_directory_in_use_stops_the_start(make_server):
    first = make_server()
    second = make_server.new(dataDir=first.data_dir)
    status, log = fails_to_start(second)
    assert status == 1 and first.data_dir in log


def test_plain_port_opens_only_where_it_is_named(make_server):
    server = make_server(plain=False)
    with pytest.raises(OSError):
        server.four_letter_word("ruok", tls=False, port=2181)
    assert server.client().timeout_ms > 0
    listening = [line for line in server.log().splitlines() if "event=server.listening" in line]
    assert len(listening) == 1 and "kind=secureClientPort" in listening[0]


def test_file_of_a_whole_ensemble_starts(make_server):
    server = make_server(initLimit=10, syncLimit=5, autopurge__snapRetainCount=3, server__1="a:2888:3888")
    assert server.client().timeout_ms > 0
    server.wait_log(r"event=config\.ignored property=initLimit")


def test_data_directory_is_made_private(make_server):
    """Others on the machine do not read the registry behind its ACLs."""
    server = make_server.new()
    server.config["dataDir"] = os.path.join(server.directory, "data", "below")
    server.start()
    for folder, _, files in os.walk(server.config["dataDir"]):
        for name in files:
            mode = os.stat(os.path.join(folder, name)).st_mode & 0o777
            assert mode & 0o007 == 0, (name, oct(mode))
