"""Throw-away certificates for the tests, made with the openssl command line.

One call of make_authority() gives a directory with a CA, a server and every kind of client the tests
know. All keys are P-256: cheap to make and what we recommend. Nothing here is secret, and nothing
outlives the temporary directory it is made in.
"""
import base64
import os
import subprocess

SUBJECTS = {
    "ca": "/O=Zoolite Test/CN=Test CA",
    "server": "/O=Zoolite Test/CN=localhost",
    "client": "/O=Zoolite Test/OU=clients/CN=alice",
    "second": "/O=Zoolite Test/OU=clients/CN=bob",
    "foreign": "/O=Elsewhere/CN=mallory",
    "expired": "/O=Zoolite Test/OU=clients/CN=methuselah",
    "selfsigned": "/O=Zoolite Test/CN=narcissus",
    "chained": "/O=Zoolite Test/OU=clients/CN=carol",
}


def dn_rfc2253(subject):
    """The subject as Java prints it and as an x509 identity reads: last attribute first."""
    return ",".join(reversed(subject.strip("/").split("/")))


class Authority:
    """Paths of PEM files: cert(name), key(name), both(name) (key and chain in one file), ca, foreign_ca."""

    def __init__(self, directory):
        self.directory = str(directory)
        self.ca = self.path("ca.pem")
        self.foreign_ca = self.path("foreign-ca.pem")

    def path(self, name):
        return os.path.join(self.directory, name)

    def cert(self, name):
        return self.path(name + ".crt")

    def key(self, name):
        return self.path(name + ".key")

    def both(self, name):
        return self.path(name + ".pem")

    def identity(self, name):
        """What the server should call the holder of this certificate."""
        return dn_rfc2253(SUBJECTS[name])

    def openssl(self, *args, text=None):
        done = subprocess.run(["openssl", *args], cwd=self.directory, input=text, text=True,
                              capture_output=True, check=False)
        if done.returncode != 0:
            raise RuntimeError("openssl %s: %s" % (args[0], done.stderr))
        return done.stdout

    def make_key(self, name):
        self.openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256",
                     "-out", self.key(name))

    def make_ca(self, name, subject):
        """A self-signed CA: name.crt, name.key, name.pem holding the certificate alone."""
        self.make_key(name)
        self.openssl("req", "-x509", "-new", "-key", self.key(name), "-subj", subject, "-days", "30",
                     "-addext", "basicConstraints=critical,CA:TRUE",
                     "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-out", self.cert(name))
        self._write(self.path(name + ".pem"), self.cert(name))

    def issue(self, name, subject, issuer="ca", extensions="", dates=None, chain=()):
        """A certificate signed by issuer; name.pem holds key, certificate and the chain behind it."""
        self.make_key(name)
        request = self.openssl("req", "-new", "-key", self.key(name), "-subj", subject)
        with open(self.path(name + ".ext"), "w", encoding="ascii") as file:
            file.write(extensions)
        if dates is None:
            self.openssl("x509", "-req", "-CA", self.cert(issuer), "-CAkey", self.key(issuer),
                         "-days", "20", "-set_serial", self._serial(), "-extfile", name + ".ext",
                         "-out", self.cert(name), text=request)
        else:
            self._issue_dated(name, request, issuer, dates)
        self._write(self.both(name), self.key(name), self.cert(name), *chain)
        os.chmod(self.both(name), 0o600)

    def _issue_dated(self, name, request, issuer, dates):
        """Certificates of the past need `openssl ca`, which alone takes a start date in OpenSSL 3.0."""
        with open(self.path("index.txt"), "w", encoding="ascii"):
            pass
        with open(self.path("ca.cnf"), "w", encoding="ascii") as file:
            file.write("[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\nnew_certs_dir=.\nrand_serial=yes\n"
                       "default_md=sha256\npolicy=p\nunique_subject=no\n"
                       "[p]\nO=supplied\nOU=optional\nCN=supplied\n")
        with open(self.path(name + ".csr"), "w", encoding="ascii") as file:
            file.write(request)
        self.openssl("ca", "-batch", "-notext", "-config", "ca.cnf", "-cert", self.cert(issuer),
                     "-keyfile", self.key(issuer), "-startdate", dates[0], "-enddate", dates[1],
                     "-extfile", name + ".ext", "-in", name + ".csr", "-out", self.cert(name))

    def make_crl(self, target, issuer="ca", revoked=(), dates=None):
        """The issuer's list of revoked certificates (by name), into a PEM file; valid for a week, or between dates."""
        with open(self.path("crl.cnf"), "w", encoding="ascii") as file:
            file.write("[ca]\ndefault_ca=d\n[d]\ndatabase=crl-index.txt\ndefault_md=sha256\n")
        with open(self.path("crl-index.txt"), "w", encoding="ascii") as file:
            for name in revoked:
                serial = self.openssl("x509", "-in", self.cert(name), "-noout", "-serial").strip().split("=")[1]
                file.write("R\t400101000000Z\t200101000000Z\t%s\tunknown\t/CN=%s\n" % (serial, name))
        when = ("-crldays", "7") if dates is None else ("-crl_lastupdate", dates[0], "-crl_nextupdate", dates[1])
        crl = self.openssl("ca", "-gencrl", "-config", "crl.cnf", "-cert", self.cert(issuer), "-keyfile",
                           self.key(issuer), *when)
        with open(target + ".new", "w", encoding="ascii") as file:
            file.write(crl)
        os.replace(target + ".new", target)
        return target

    def make_key_of_another(self, name, other):
        """name.pem: the certificate of name, with a key that says it were its own and is that of other."""
        secrets = []
        for owner in (name, other):
            done = subprocess.run(["openssl", "pkey", "-in", self.key(owner), "-outform", "DER"], check=True,
                                  capture_output=True).stdout
            # The private number of a P-256 key, before its public point.
            at = done.index(b"\x04\x20") + 2
            secrets.append((done, at))
        (mine, at), (its, from_) = secrets
        forged = mine[:at] + its[from_:from_ + 32] + mine[at + 32:]
        with open(self.path("forged.key"), "w", encoding="ascii") as file:
            file.write("-----BEGIN EC PRIVATE KEY-----\n%s-----END EC PRIVATE KEY-----\n"
                       % base64.encodebytes(forged).decode())
        self._write(self.both("forged"), self.path("forged.key"), self.cert(name))
        return "forged"

    def _serial(self):
        return "0x" + os.urandom(8).hex()

    @staticmethod
    def _write(target, *sources):
        with open(target, "w", encoding="ascii") as out:
            for source in sources:
                with open(source, encoding="ascii") as file:
                    out.write(file.read())


CLIENT_EXT = "extendedKeyUsage=clientAuth\nkeyUsage=digitalSignature\n"
SERVER_EXT = ("extendedKeyUsage=serverAuth,clientAuth\nkeyUsage=digitalSignature\n"
              "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1\n")
CA_EXT = "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\n"


def make_authority(directory):
    """Make everything into directory (about a quarter of a second) and return the Authority."""
    auth = Authority(directory)
    auth.make_ca("ca", SUBJECTS["ca"])
    auth.make_ca("foreign-ca", "/O=Elsewhere/CN=Foreign CA")
    auth.issue("server", SUBJECTS["server"], extensions=SERVER_EXT)
    auth.issue("client", SUBJECTS["client"], extensions=CLIENT_EXT)
    auth.issue("second", SUBJECTS["second"], extensions=CLIENT_EXT)
    auth.issue("foreign", SUBJECTS["foreign"], issuer="foreign-ca", extensions=CLIENT_EXT)
    auth.issue("expired", SUBJECTS["expired"], extensions=CLIENT_EXT,
               dates=("20200101000000Z", "20210101000000Z"))
    auth.make_ca("selfsigned", SUBJECTS["selfsigned"])
    auth._write(auth.both("selfsigned"), auth.key("selfsigned"), auth.cert("selfsigned"))
    auth.issue("intermediate", "/O=Zoolite Test/CN=Intermediate CA", extensions=CA_EXT)
    auth.issue("chained", SUBJECTS["chained"], issuer="intermediate", extensions=CLIENT_EXT,
               chain=(auth.cert("intermediate"),))
    return auth
