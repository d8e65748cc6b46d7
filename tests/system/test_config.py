"""The command line and the configuration file: what is checked, and how it is said."""
import os
import re
import subprocess

import pytest

import certs
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


def line_of(name, text):
    """Where the text gives a property last, counted from 1."""
    return max(number for number, line in enumerate(text.split("\n"), 1) if line.startswith(name + "="))


def expect_refused(run, tmp_path, text, name, *words):
    """The file is good, what a property names is not: status 2 and one line "FILE:LINE: PROPERTY: ..." with these
    words, -t or not."""
    for args in (("-t",), ()):
        done = run(*args, config=text)
        assert done.returncode == 2, (done.returncode, done.stderr)
        assert done.stdout == ""
        assert done.stderr.startswith("%s:%d: %s: " % (tmp_path / "zoo.cfg", line_of(name, text), name)), done.stderr
        assert done.stderr.count("\n") == 1, done.stderr
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
    expect_refused(run, tmp_path, tls_text(authority, **{"zoolite__" + name: gone}), "zoolite." + name, gone,
                   "No such file or directory")


@pytest.mark.parametrize("name", ["keyStore", "trustStore"])
def test_missing_store(run, authority, tmp_path, name):
    stores = {"ssl__keyStore__location": authority.both("server"), "ssl__trustStore__location": authority.ca}
    ours = {"zoolite__certFile": None, "zoolite__keyFile": None, "zoolite__trustFile": None}
    assert run("-t", config=tls_text(authority, **ours, **stores)).returncode == 0
    stores["ssl__%s__location" % name] = gone = str(tmp_path / "gone.pem")
    expect_refused(run, tmp_path, tls_text(authority, **ours, **stores), "ssl.%s.location" % name, gone)


@pytest.mark.parametrize("name", ["certFile", "keyFile", "trustFile"])
def test_file_of_tls_that_is_none(run, authority, tmp_path, name):
    broken = tmp_path / "broken.pem"
    broken.write_text("nothing\n")
    expect_refused(run, tmp_path, tls_text(authority, **{"zoolite__" + name: str(broken)}), "zoolite." + name,
                   str(broken))


def test_key_of_another_certificate(run, authority, tmp_path):
    expect_refused(run, tmp_path, tls_text(authority, zoolite__keyFile=authority.key("client")),
                   "zoolite.keyFile", authority.key("client"), authority.cert("server"))


def test_key_with_a_password(run, authority, tmp_path):
    """It is opened with the password; a wrong one, or none, is said and not repeated."""
    locked = str(tmp_path / "locked.key")
    subprocess.run(["openssl", "pkcs8", "-topk8", "-in", authority.key("server"), "-out", locked, "-passout",
                    "pass:hunter2"], check=True)
    good = tls_text(authority, zoolite__keyFile=locked, ssl__keyStore__password="hunter2")
    assert run("-t", config=good).returncode == 0
    bad = tls_text(authority, zoolite__keyFile=locked, ssl__keyStore__password="hunter3")
    expect_refused(run, tmp_path, bad, "zoolite.keyFile", locked, "password")
    assert "hunter3" not in run("-t", config=bad).stderr
    expect_refused(run, tmp_path, tls_text(authority, zoolite__keyFile=locked), "zoolite.keyFile", locked)


@pytest.mark.parametrize("text", ["clientPort=0\nclientPortAddress=%s\n", "secureClientPortAddress=%s\n"])
def test_address_that_means_nothing(run, authority, tmp_path, text):
    name = text.split("=")[-2].split("\n")[-1]
    expect_refused(run, tmp_path, tls_text(authority) + text % "::zz", name, "::zz: ")


def test_missing_password_file(run, authority, tmp_path):
    text = tls_text(authority, ssl__keyStore__passwordPath="/nonexistent/password")
    expect_refused(run, tmp_path, text, "ssl.keyStore.passwordPath", "/nonexistent/password",
                   "No such file or directory")


@pytest.mark.parametrize("line, shown", [
    (r"clientPort=a\nb\tc", r'not "a\nb\tc"'), ("clientPort=a\x1b[2J\x07x", r'not "a\x1b[2J\x07x"'),
    ("clientPort=\u00f6", r'not "\xc3\xb6"'), (r"no\r\nevent\=forged=1", r'"no\r\nevent=forged"'),
    (r"ssl.keyStore.passwordPath=/nonexistent/\n\u001bx", r"/nonexistent/\n\x1bx: "),
    (r"clientPortAddress=::\nz", r"clientPortAddress: ::\nz: ")], ids=lambda text: ascii(text)[1:20])
def test_nothing_breaks_the_line_or_the_terminal(run, tmp_path, line, shown):
    for args in (("-t",), ()):
        done = run(*args, config=GOOD + line + "\n")
        assert done.returncode == 2
        assert done.stderr.startswith("%s:3: " % (tmp_path / "zoo.cfg")) and shown in done.stderr, done.stderr
        assert done.stderr.endswith("\n") and done.stderr[:-1].isascii() and done.stderr[:-1].isprintable()


def test_names_break_no_line_either(run, tmp_path):
    odd = tmp_path / "a\nb\x1b"
    for text, answer in ((GOOD, "good"), ("x=1\n", "x")):
        odd.write_text(text)
        done = run("-t", str(odd))
        said = done.stdout + done.stderr
        assert said.count("\n") == 1 and said[:-1].isprintable() and answer in said, said
    done = run("-\n", "a")
    assert done.returncode == 2 and done.stderr.count("\n") == 1


def test_long_name_of_the_file(run, authority, tmp_path):
    """Line and reason are there however long it is."""
    folder = tmp_path
    for _ in range(5):
        folder = folder / ("x" * 200)
    folder.mkdir(parents=True)
    path = folder / "zoo.cfg"
    for text, end in ((GOOD + "x=1\n", ':3: unknown property "x"\n'),
                      (GOOD + "clientPortAddress=::zz\n", ":3: clientPortAddress: ::zz: "),
                      (tls_text(authority, zoolite__certFile=str(folder / "gone.crt")),
                       "gone.crt: no usable certificate: No such file or directory\n")):
        path.write_text(text)
        done = run("-t", str(path))
        assert done.returncode == 2 and done.stderr.startswith(str(path) + ":"), done.stderr
        assert end in done.stderr, done.stderr


def test_files_are_checked_without_a_port_too(run, authority, tmp_path):
    """What a file names is looked at, though nothing of it is used yet."""
    plain = {"secureClientPort": None, "clientPort": 0}
    assert run("-t", config=tls_text(authority, **plain)).returncode == 0
    assert run("-t", config=tls_text(authority, zoolite__trustFile=None, **plain)).returncode == 0
    alone = tls_text(authority, zoolite__certFile=None, zoolite__keyFile=None, **plain)
    assert run("-t", config=alone).returncode == 0
    for name in ("certFile", "keyFile", "trustFile"):
        text = tls_text(authority, **{"zoolite__" + name: "/nonexistent/gone.pem"}, **plain)
        expect_refused(run, tmp_path, text, "zoolite." + name, "/nonexistent/gone.pem")
    expect_refused(run, tmp_path, alone.replace(authority.ca, "/nonexistent/ca.pem"), "zoolite.trustFile",
                   "/nonexistent/ca.pem")


def test_trust_is_checked_though_nobody_is_asked(run, authority, tmp_path):
    text = tls_text(authority, zoolite__trustFile="/nonexistent/ca.pem", ssl__clientAuth="none")
    expect_refused(run, tmp_path, text, "zoolite.trustFile", "/nonexistent/ca.pem")


@pytest.mark.parametrize("port", ["secureClientPort", "clientPort"])
@pytest.mark.parametrize("dates, reason", [
    (("20200101000000Z", "20210203000000Z"), "the certificate has expired on 2021-02-03"),
    (("20600405000000Z", "20610101000000Z"), "the certificate is not valid before 2060-04-05")])
def test_certificate_that_is_out_of_date(run, authority, tmp_path, dates, reason, port):
    """A warning with the day and where the file is named; the configuration is good."""
    authority.issue("dated", "/O=Zoolite Test/CN=localhost", extensions=certs.SERVER_EXT, dates=dates)
    text = tls_text(authority, zoolite__certFile=authority.cert("dated"), zoolite__keyFile=authority.key("dated"),
                    **{"secureClientPort": None, port: 0})
    done = run("-t", config=text)
    path = tmp_path / "zoo.cfg"
    assert (done.returncode, done.stdout) == (0, "%s: good\n" % path)
    assert done.stderr == "%s:%d: warning: zoolite.certFile: %s\n" % (path, line_of("zoolite.certFile", text), reason)


def test_name_that_nobody_can_look_up_just_now(tmp_path):
    """No fault of the configuration: status 1, so that the service manager tries again."""
    library = str(tmp_path / "noresolver.so")
    source = os.path.join(servers.REPOSITORY, "tests", "lib", "noresolver.c")
    subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    path = tmp_path / "zoo.cfg"
    options = ":".join(filter(None, [os.environ.get("ASAN_OPTIONS"), "verify_asan_link_order=0"]))
    environment = dict(os.environ, LD_PRELOAD=library, ASAN_OPTIONS=options)
    for host, status in (("registry.example", 1), ("127.0.0.1", 0)):
        path.write_text(GOOD + "clientPortAddress=%s\n" % host)
        done = subprocess.run([servers.find_zoolited(), "-t", str(path)], capture_output=True, text=True, timeout=60,
                              check=False, env=environment)
        assert done.returncode == status, done.stderr
        if status:
            assert done.stderr.startswith("%s:3: clientPortAddress: %s: " % (path, host))
            assert done.stderr.count("\n") == 1


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


def test_check_beside_a_running_server(make_server):
    """As the unit does before it reloads: what the server holds itself is no fault, and nobody is disturbed."""
    server = make_server()
    since = server.log_size()
    with server.client() as client:
        for line, status in (("", 0), ("nonsense=1\n", 2)):
            with open(server.config_path, "a", encoding="utf-8") as file:
                file.write(line)
            done = subprocess.run([server.binary, "-t", server.config_path], capture_output=True, text=True, timeout=30,
                                  check=False)
            assert done.returncode == status, done.stderr
        client.ping()
        client.close_session()
    assert server.log_size() == since


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


def defaults_of_sample():
    """What the sample shows as defaults: lines that are commented out, but for those below "Example"."""
    found, above = {}, ""
    with open(os.path.join(servers.REPOSITORY, "src", "app", "zoo.cfg.sample"), encoding="utf-8") as file:
        for line in file:
            option = re.match(r"#([A-Za-z0-9.]+)=(.*)$", line)
            if option and not above.startswith("# Example"):
                found[option.group(1)] = option.group(2)
            above = line
    return found


def test_sample_shows_the_defaults(make_server):
    """Given as it shows them, nothing would change with a restart."""
    defaults = defaults_of_sample()
    assert len(defaults) > 20
    server = make_server.new()
    server.config.update({name: None for name in defaults})
    server.start()
    server.config.update(defaults)
    server.write_config()
    since = server.log_size()
    server.hangup()
    server.wait_log(r"event=reload\.done", since)
    assert "reload.waits" not in server.log()[since:], server.log()[since:]
