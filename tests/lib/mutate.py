"""Frames of every request type, and what becomes of them when their bytes are changed at random."""
import zk_wire as zk

ACL = [zk.Acl(31, "world", "anyone"), zk.Acl(31, "digest", "u:p")]
INTERESTING = (0, 1, 2, 0x7f, 0x80, 0xff)
LENGTHS = (0, -1, -2, 1, 4, 8, 255, 256, 0xffff, 0x100000, 0x7fffffff, -0x80000000)


def requests(root):
    """One well-formed request of each type and of each shape that matters, on few paths below root."""
    p, q = root + "/a", root + "/a/b"
    return [
        zk.create(p, b"data"), zk.create(q, None, ACL, zk.EPHEMERAL), zk.create(p + "/s-", flags=zk.SEQUENTIAL),
        zk.create2(q, b"data"), zk.create_container(p, b""), zk.create_ttl(q, b"data"),
        zk.delete(q), zk.delete(p, 1), zk.delete_container(q), zk.exists(p, True), zk.get_data(p, True),
        zk.set_data(p, b"more data"), zk.set_data(q, None, 0), zk.get_acl(p), zk.set_acl(p, ACL),
        zk.get_children(root, True), zk.get_children2(p, True), zk.sync(p), zk.ping(),
        zk.Request(zk.CHECK, zk.check(p).body), zk.Request(zk.RECONFIG, zk.p_string("server.1=a:1:2") * 3),
        zk.Request(zk.SASL, zk.p_buffer(b"token")),
        zk.multi([zk.create(q), zk.set_data(q, b"x", 0), zk.check(p), zk.delete(q)]),
        zk.multi([zk.create2(q, b"", ACL, 3), zk.create_container(p), zk.create_ttl(q), zk.delete(p, 7)]),
        zk.multi([]), zk.multi_read([zk.get_data(p), zk.get_children(root), zk.get_data(q)]),
        zk.auth("digest", b"user:secret"), zk.auth("ip", b""),
        zk.set_watches(1, [p, q], [q], [root]), zk.set_watches2(1, [p], [q], [root], [p], [root]),
        zk.add_watch(p, zk.PERSISTENT), zk.add_watch(root, zk.PERSISTENT_RECURSIVE),
        zk.check_watches(p), zk.remove_watches(p, zk.WATCHES_DATA), zk.remove_watches(root),
        zk.get_ephemerals(root), zk.get_all_children_number(p), zk.who_am_i(), zk.close()]


class Mutator:
    """Changes bodies of frames. What one gives depends on rng and on the frames alone."""

    def __init__(self, rng, frames):
        self.rng = rng
        self.frames = frames  # bodies: opcode and record, without length and xid

    def body(self):
        """A frame's body, changed in one to three places."""
        rng = self.rng
        body = bytearray(rng.choice(self.frames))
        for _ in range(rng.choice((1, 1, 2, 3))):
            rng.choice((self._flip, self._flip, self._byte, self._length, self._cut, self._splice, self._repeat))(body)
        return bytes(body)

    def _place(self, body):
        """Mostly behind the opcode: one that nobody knows ends the connection."""
        low = 4 if self.rng.random() < 0.97 else 0
        return self.rng.randrange(low, len(body)) if len(body) > low else len(body)

    def _flip(self, body):
        at = self._place(body)
        body[at:at + 1] = bytes(byte ^ 1 << self.rng.randrange(8) for byte in body[at:at + 1])

    def _byte(self, body):
        at = self._place(body)
        body[at:at + 1] = bytes((self.rng.choice(INTERESTING),))

    def _length(self, body):
        """Any four bytes may be a length."""
        at = self._place(body)
        body[at:at + 4] = zk.p_int(self.rng.choice(LENGTHS))

    def _cut(self, body):
        del body[self._place(body):]

    def _splice(self, body):
        """The rest of another frame."""
        other = self.rng.choice(self.frames)
        at = self._place(body)
        body[at:] = other[self.rng.randrange(len(other)):]

    def _repeat(self, body):
        at = self._place(body)
        body[at:at] = body[at:at + self.rng.randrange(1, 64)]
