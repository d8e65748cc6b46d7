"""Private by default: who may read the server's files, as whom it runs, and what it tells of secrets."""
import json
import os
import pwd
import re
import shutil
import stat
import subprocess
import tempfile
import urllib.request

import pytest

import servers
import zk_wire as zk

OK = 0
IS_ROOT = os.geteuid() == 0


def check(server, *options):
    server.write_config()
    return subprocess.run([server.binary, *options, server.config_path], capture_output=True, text=True, timeout=60,
                          check=False)


def use_copies(server, authority):
    """Certificate and key as files of the server's own, which may be spoilt."""
    names = {"zoolite.certFile": (authority.cert("server"), "server.crt"),
             "zoolite.keyFile": (authority.key("server"), "server.key"), "zoolite.trustFile": (authority.ca, "ca.pem")}
    for name, (source, target) in names.items():
        server.config[name] = shutil.copy(source, os.path.join(server.directory, target))
    server.config.update({"ssl.keyStore.location": None, "ssl.trustStore.location": None})
    os.chmod(server.config["zoolite.keyFile"], 0o600)
    return server.config["zoolite.keyFile"]


# -- files ----------------------------------------------------------------------------------------------

@pytest.fixture(name="unstarted")
def fixture_unstarted(tmp_path, authority):
    """What a configuration is made with, of a server that never serves."""
    return servers.Zoolite(tmp_path / "unstarted", authority)


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o601, 0o660])
def test_a_key_for_others_is_refused(unstarted, authority, mode):
    server = unstarted
    key = use_copies(server, authority)
    assert check(server, "-t").returncode == 0
    os.chmod(key, mode)
    for options in (["-t"], []):
        done = check(server, *options)
        assert done.returncode == 2
        said = done.stderr.splitlines()
        assert len(said) == 1 and ": zoolite.keyFile: %s: holds a secret, but " % key in said[0], said
        assert said[0].startswith("%s:" % server.config_path) and said[0].endswith("(mode %04o)" % mode)


def test_a_key_with_its_certificate_and_a_password_file(unstarted, authority, tmp_path):
    server = unstarted
    both = shutil.copy(authority.both("server"), tmp_path / "server.pem")
    secret = tmp_path / "password"
    secret.write_text("x\n")
    server.config["ssl.keyStore.location"] = str(both)
    os.chmod(both, 0o644)
    assert "ssl.keyStore.location: %s: holds a secret" % both in check(server, "-t").stderr
    os.chmod(both, 0o600)
    server.config["ssl.keyStore.passwordPath"] = str(secret)
    os.chmod(secret, 0o644)
    assert "ssl.keyStore.passwordPath: %s: holds a secret" % secret in check(server, "-t").stderr
    os.chmod(secret, 0o600)
    assert check(server, "-t").returncode == 0


@pytest.mark.parametrize("mode", [0o644, 0o600])
def test_a_secret_in_a_configuration_for_others_is_told(make_server, mode):
    server = make_server.new(DigestAuthenticationProvider__superDigest="super:x")
    server.write_config()
    os.chmod(server.config_path, mode)
    server.start()
    found = re.findall(r"level=warn event=config\.exposed property=(\S+) line=(\d+) ", server.log())
    line = 1 + list(server.config).index("DigestAuthenticationProvider.superDigest")
    assert found == ([("DigestAuthenticationProvider.superDigest", str(line))] if mode == 0o644 else [])


def test_a_reload_with_a_key_for_others_is_refused(make_server, authority):
    server = make_server.new()
    key = use_copies(server, authority)
    server.start()
    os.chmod(key, 0o644)
    since = server.log_size()
    server.hangup()
    server.wait_log(r"event=reload\.refused .*property=zoolite\.keyFile .*holds a secret", since)
    server.client().close_session()
    os.chmod(key, 0o600)
    since = server.log_size()
    server.hangup()
    server.wait_log(r"event=reload\.done", since)


@pytest.mark.parametrize("mask", [0, 0o777])
def test_files_are_private_under_any_umask(make_server, mask):
    server = make_server.new(zoolite__segmentSize="64k")
    os.makedirs(server.directory, exist_ok=True)
    shutil.rmtree(server.data_dir, ignore_errors=True)
    server.data_dir = os.path.join(server.directory, "new")  # the server's to make
    server.config["dataDir"] = os.path.join(server.data_dir, "data")
    server.write_config()
    os.makedirs(server.data_dir)
    old = os.umask(mask)
    try:
        server.start()
    finally:
        os.umask(old)
    client = server.client()
    logs = os.path.join(server.config["dataDir"], "log")
    for number in range(60):
        assert client.call(zk.create("/node%d" % number, b"x" * 2000)).err == OK
    servers.wait_until(lambda: os.path.exists(os.path.join(logs, "0000000003.db-wal")), 30, "the next segment")
    found = []
    for directory, names, files in os.walk(server.data_dir):
        found += [os.path.join(directory, name) for name in names + files]
    assert len(found) > 8
    for path in found:
        st = os.lstat(path)
        assert stat.S_IMODE(st.st_mode) == (0o700 if stat.S_ISDIR(st.st_mode) else 0o600), path


# -- whom it runs as ------------------------------------------------------------------------------------

def status_of(server):
    with open("/proc/%d/status" % server.process.pid, encoding="ascii") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


def port_of_root():
    """One that only root may bind, where the system has such."""
    for port in range(1023, 600, -1):
        with servers.socket.socket() as sock:
            sock.setsockopt(servers.socket.SOL_SOCKET, servers.socket.SO_REUSEADDR, 1)
            try:
                sock.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise AssertionError("no port below 1024 is free")


@pytest.fixture(name="owned")
def fixture_owned(authority):
    """A server in a directory that everybody reaches, whose data and key belong to nobody."""
    directory = tempfile.mkdtemp(prefix="zoolite-user-")
    os.chmod(directory, 0o755)
    server = servers.Zoolite(directory, authority)
    # What was root's may not be looked at by a debugger, which the search for leaks would be.
    server.extra_environment["ASAN_OPTIONS"] = "detect_leaks=0"
    server.config["zoolite.user"] = "nobody"
    key = use_copies(server, authority)
    os.makedirs(server.data_dir)
    if IS_ROOT:
        for path in (key, server.data_dir):
            shutil.chown(path, "nobody", "nogroup")
    yield server
    try:
        if server.process:
            server.finish()
    finally:
        server.close()
        shutil.rmtree(directory)


def test_root_becomes_the_user(owned):
    if not IS_ROOT:
        assert "zoolite.user: nobody: only root can become another user" in check(owned, "-t").stderr
        return
    owned.port = owned.config["clientPort"] = port_of_root()
    owned.start()
    nobody = pwd.getpwnam("nobody")
    status = status_of(owned)
    assert status["Uid"].split() == [str(nobody.pw_uid)] * 4
    assert status["Gid"].split() == [str(nobody.pw_gid)] * 4
    assert status["Groups"].split() == [str(group) for group in os.getgrouplist("nobody", nobody.pw_gid)]
    assert [status[name].strip("0") for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")] == [""] * 4
    assert status["NoNewPrivs"] == "1"
    for task in os.listdir("/proc/%d/task" % owned.process.pid):
        assert os.stat("/proc/%d/task/%s" % (owned.process.pid, task)).st_uid in (0, nobody.pw_uid)
        with open("/proc/%d/task/%s/status" % (owned.process.pid, task), encoding="ascii") as file:
            assert "Uid:\t%d\t%d\t%d\t%d\n" % ((nobody.pw_uid,) * 4) in file.read()
    owned.wait_log(r"event=server\.user user=nobody uid=%d" % nobody.pw_uid)
    for path in os.listdir(owned.data_dir):
        assert os.stat(os.path.join(owned.data_dir, path)).st_uid == nobody.pw_uid
    assert owned.client(tls=False).call(zk.create("/a")).err == OK
    # All that a reload reads is readable here but the configuration, which the test wrote for root alone.
    since = owned.log_size()
    os.chmod(owned.config_path, 0o644)
    owned.hangup()
    owned.wait_log(r"event=reload\.done", since)
    # As the control socket's owner root still may.
    done = subprocess.run([owned.binary, "--control", "help", owned.config_path], capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.stdout.startswith("ok\n"), done


def test_what_the_user_cannot_read_is_told(owned):
    if not IS_ROOT:
        return
    os.chown(owned.config["zoolite.keyFile"], 0, 0)
    owned.start()
    owned.wait_log(r"level=warn event=user\.unreadable file=\S*server\.key user=nobody")
    since = owned.log_size()
    os.chmod(owned.config_path, 0o644)
    owned.hangup()
    owned.wait_log(r"event=reload\.refused .*property=zoolite\.keyFile", since)
    owned.client().close_session()


@pytest.mark.parametrize("user, reason", [("root", "root: is root, or of root's group"),
                                          ("no-such-user", "no-such-user: there is no such user")])
def test_users_that_will_not_do(owned, user, reason):
    owned.config["zoolite.user"] = user
    for options in (["-t"], []):
        done = check(owned, *options)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert done.stderr.endswith(": zoolite.user: %s\n" % reason)


# -- secrets --------------------------------------------------------------------------------------------

SECRETS = ("key-pass-word", "super-hash", "alices-pass-word", "session-data", "trust-pass-word")


def test_secrets_are_told_to_nobody(make_server, authority, tmp_path):
    """Neither in the log at its most talkative, nor by a four-letter word, nor by the admin server."""
    locked = str(tmp_path / "locked.pem")
    subprocess.run(["openssl", "pkcs8", "-topk8", "-in", authority.key("server"), "-out", locked, "-passout",
                    "pass:key-pass-word"], check=True)
    with open(authority.cert("server"), encoding="ascii") as cert, open(locked, "a", encoding="ascii") as file:
        file.write(cert.read())
    port = servers.free_ports(1)[0]
    server = make_server(zoolite__logLevel="debug", ssl__keyStore__location=locked,
                         ssl__keyStore__password="key-pass-word", ssl__trustStore__password="trust-pass-word",
                         DigestAuthenticationProvider__superDigest="super:super-hash",
                         admin__enableServer="true", admin__serverPort=port)
    client = server.client()
    assert client.auth("digest", b"alice:alices-pass-word").err == OK
    assert client.call(zk.create("/node", b"session-data", flags=zk.EPHEMERAL)).err == OK
    assert client.call(zk.get_data("/node", watch=True)).err == OK
    assert server.client().auth("nonsense", b"alices-pass-word").err != OK
    told = [server.four_letter_word(word).decode() for word in
            ("conf", "cons", "dump", "envi", "mntr", "srvr", "stat", "wchs", "wchp", "wchc", "dirs")]
    with urllib.request.urlopen("http://127.0.0.1:%d/commands" % port, timeout=60) as answer:
        commands = [line.split("/commands/")[1].split('"')[0] for line in answer.read().decode().splitlines()
                    if "/commands/" in line]
    assert "configuration" in commands and len(commands) > 10
    for command in commands:
        try:
            with urllib.request.urlopen("http://127.0.0.1:%d/commands/%s" % (port, command), timeout=60) as answer:
                told.append(json.dumps(json.load(answer)))
        except urllib.error.HTTPError as error:
            told.append(error.read().decode())
    server.hangup()
    server.wait_log(r"event=reload\.done")
    told += [server.log(), subprocess.run([server.binary, "-t", server.config_path], capture_output=True, text=True,
                                          timeout=60, check=True).stdout]
    assert "superDigest=*" in "".join(told)
    passwords = [client.password.hex(), client.password.decode("latin-1")]
    for secret in (*SECRETS, *passwords):
        assert not [text for text in told if secret in text], secret


def test_providers_of_openssl_are_as_configured(make_server):
    """With the providers base and default and no other, named by a configuration as FIPS setups have one."""
    server = make_server.new(DigestAuthenticationProvider__digestAlg="SHA-256")
    path = os.path.join(server.directory, "openssl.cnf")
    with open(path, "w", encoding="ascii") as file:
        file.write("openssl_conf = init\nconfig_diagnostics = 1\n[init]\nproviders = list\n"
                   "[list]\nbase = on\ndefault = on\n[on]\nactivate = 1\n")
    server.extra_environment["OPENSSL_CONF"] = path
    server.start()
    client = server.client()
    assert client.auth("digest", b"alice:wonder").err == OK
    assert client.call(zk.create("/a")).err == OK


def test_no_low_level_cryptography():
    """A FIPS provider is reached by EVP and TLS alone: none of OpenSSL's direct calls is in the program."""
    symbols = subprocess.run(["nm", "--undefined-only", "--dynamic", servers.find_zoolited()], capture_output=True,
                             text=True, check=True).stdout
    used = {line.split()[-1].split("@")[0] for line in symbols.splitlines() if line}
    assert "EVP_Digest" in used
    direct = ("AES_", "BF_", "CAST_", "CMAC_", "DES_", "DH_", "DSA_", "ECDH_", "ECDSA_", "EC_KEY_", "HMAC", "MD2", "MD4",
              "MD5", "RC2_", "RC4", "RIPEMD160", "RSA_", "SHA1", "SHA224", "SHA256", "SHA384", "SHA512", "ENGINE_")
    assert not [name for name in used if name.startswith(direct)]
