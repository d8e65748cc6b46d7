import java.io.FileInputStream;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.OpResult;
import org.apache.zookeeper.Transaction;
import org.apache.zookeeper.Watcher.Event.EventType;
import org.apache.zookeeper.Watcher.Event.KeeperState;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooDefs.Perms;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.ACL;
import org.apache.zookeeper.data.Id;
import org.apache.zookeeper.data.Stat;
import org.apache.zookeeper.server.auth.DigestAuthenticationProvider;

/**
 * A tour through ZooKeeper's own Java client. Each check uses it as programs do.
 *
 * ApiCheck server timeoutMs certificate.pem
 */
public final class ApiCheck extends ApiTour {
    private static final String ROOT = "/java-api";
    private static final int ALL_FIELDS_CHILDREN = 300;

    private final String certificate;

    private ApiCheck(String[] args) {
        super(ROOT, args[0], args[1]);
        certificate = args[2];
    }

    public static void main(String[] args) throws Exception {
        new ApiCheck(args).run();
    }

    @Override
    void addChecks() {
        add("crud", this::crud);
        add("errors", this::errors);
        add("data", this::data);
        add("modes", this::modes);
        add("create_stat", this::createStat);
        add("children", this::children);
        add("sync", this::sync);
        add("pipeline", this::pipeline);
        add("watches", this::watches);
        add("watch_order", this::watchOrder);
        add("multi", this::multi);
        add("transaction", this::transaction);
        add("multi_fails", this::multiFails);
        add("acl_digest", this::aclDigest);
        add("acl_hidden", this::aclHidden);
        add("acl_x509", this::aclX509);
        add("acl_ip", this::aclIp);
        add("config", this::config);
        add("reconnect", this::reconnect);
        add("resume", this::resume);
        add("resume_wrong_password", this::resumeWrongPassword);
        add("close", this::closeDrops);
    }

    private void crud() throws Exception {
        String path = ROOT + "/crud";
        want(a.create(path, bytes("one"), OPEN, CreateMode.PERSISTENT).equals(path), "another name");
        Stat stat = new Stat();
        want(Arrays.equals(b.getData(path, false, stat), bytes("one")), "other data");
        want(stat.getVersion() == 0 && stat.getCzxid() > 0 && stat.getMzxid() == stat.getCzxid()
                && stat.getPzxid() == stat.getCzxid() && stat.getCtime() == stat.getMtime()
                && stat.getDataLength() == 3 && stat.getEphemeralOwner() == 0, "Stat " + stat);
        Stat changed = b.setData(path, bytes("four"), 0);
        want(changed.getVersion() == 1 && changed.getMzxid() > stat.getMzxid()
                && changed.getCzxid() == stat.getCzxid() && changed.getPzxid() == stat.getPzxid()
                && changed.getDataLength() == 4, "Stat " + changed);
        want(changed.equals(a.exists(path, false)), "exists tells another Stat");
        a.delete(path, 1);
        want(b.exists(path, false) == null, "still there");
    }

    private void errors() throws Exception {
        String path = node("errors");
        wantCode(Code.NODEEXISTS, () -> node("errors"));
        wantCode(Code.NONODE, () -> node("errors/no/child"));
        wantCode(Code.NONODE, () -> a.getData(path + "/no", true, null));
        wantCode(Code.NONODE, () -> a.getChildren(path + "/no", true));
        wantCode(Code.NONODE, () -> a.setData(path + "/no", null, -1));
        wantCode(Code.NONODE, () -> a.delete(path + "/no", -1));
        wantCode(Code.BADVERSION, () -> a.setData(path, null, 7));
        wantCode(Code.BADVERSION, () -> a.delete(path, 7));
        a.create(path + "/child", null, OPEN, CreateMode.EPHEMERAL);
        wantCode(Code.NOTEMPTY, () -> a.delete(path, -1));
        wantCode(Code.NOCHILDRENFOREPHEMERALS, () -> node("errors/child/below"));
        wantCode(Code.INVALIDACL, () -> a.create(path + "/x", null, Ids.CREATOR_ALL_ACL.subList(0, 0),
                CreateMode.PERSISTENT));
        a.create(path + "/no", null, OPEN, CreateMode.PERSISTENT); // wakes no watch: the reads above failed
        a.delete(path + "/no", -1);
    }

    private void data() throws Exception {
        String path = ROOT + "/data";
        a.create(path, null, OPEN, CreateMode.PERSISTENT);
        Stat stat = new Stat();
        want(b.getData(path, false, stat) == null && stat.getDataLength() == 0, "null data came back as something");
        for (int size : new int[] {0, 1, 1023, 65536, 900 * 1024}) {
            byte[] value = new byte[size];
            Arrays.fill(value, (byte) size);
            a.setData(path, value, -1);
            want(Arrays.equals(value, b.getData(path, false, stat)) && stat.getDataLength() == size,
                    size + " bytes changed on their way");
        }
    }

    private void modes() throws Exception {
        String path = node("modes");
        want(a.create(path + "/p", null, OPEN, CreateMode.PERSISTENT).equals(path + "/p"), "persistent");
        String e = a.create(path + "/e", null, OPEN, CreateMode.EPHEMERAL);
        want(b.exists(e, false).getEphemeralOwner() == a.getSessionId(), "owner");
        String ps = a.create(path + "/s-", null, OPEN, CreateMode.PERSISTENT_SEQUENTIAL);
        want(ps.equals(path + "/s-0000000002"), "sequential is " + ps);
        String es = b.create(path + "/s-", null, OPEN, CreateMode.EPHEMERAL_SEQUENTIAL);
        want(es.equals(path + "/s-0000000003"), "sequential is " + es);
        want(a.exists(es, false).getEphemeralOwner() == b.getSessionId(), "owner of " + es);
        a.delete(es, -1);
        want(a.create(path + "/s-", null, OPEN, CreateMode.PERSISTENT_SEQUENTIAL).endsWith("-0000000004"),
                "a number came back");
    }

    private void createStat() throws Exception {
        Stat stat = new Stat();
        String path = a.create(ROOT + "/stat", bytes("x"), OPEN, CreateMode.EPHEMERAL, stat);
        want(stat.equals(b.exists(path, false)), "create2 tells another Stat: " + stat);
        want(stat.getEphemeralOwner() == a.getSessionId() && stat.getDataLength() == 1, "Stat " + stat);
    }

    private void children() throws Exception {
        String path = node("children");
        List<String> names = new ArrayList<>();
        for (int i = 0; i < ALL_FIELDS_CHILDREN; i++) {
            names.add("dubbo%3A%2F%2F10.0.0." + i + "%3A20880%2Fcom.foo.BarService\u00fc");
            a.create(path + "/" + names.get(i), null, OPEN, CreateMode.PERSISTENT);
        }
        Stat stat = new Stat();
        List<String> got = sorted(b.getChildren(path, false, stat));
        Collections.sort(names);
        want(got.equals(names), got.size() + " children, other than made");
        want(stat.getNumChildren() == ALL_FIELDS_CHILDREN && stat.getCversion() == ALL_FIELDS_CHILDREN, "Stat " + stat);
        want(sorted(b.getChildren(path, false)).equals(names), "getChildren and getChildren2 differ");
        a.delete(path + "/" + names.get(0), 0);
        Stat after = a.exists(path, false);
        want(after.getCversion() == ALL_FIELDS_CHILDREN + 1 && after.getPzxid() > stat.getPzxid()
                && after.getMzxid() == stat.getMzxid() && after.getVersion() == 0, "Stat " + after);
    }

    private void sync() throws Exception {
        String path = node("sync");
        BlockingQueue<String> done = new LinkedBlockingQueue<>();
        a.sync(path, (rc, p, ctx) -> done.add(rc + " " + p + " " + ctx), "x");
        want(("0 " + path + " x").equals(done.poll(PATIENCE_S, TimeUnit.SECONDS)), "sync");
    }

    /** Replies come in the order of the requests, and reads see the writes sent before them. */
    private void pipeline() throws Exception {
        String path = node("pipeline");
        int count = 1000;
        CountDownLatch left = new CountDownLatch(2 * count);
        AtomicReference<String> wrong = new AtomicReference<>();
        int[] next = {0};
        for (int i = 0; i < count; i++) {
            int mine = i;
            a.setData(path, bytes("" + i), i, (rc, p, ctx, stat) -> {
                if (rc != 0 || stat.getVersion() != mine + 1 || next[0]++ != 2 * mine) {
                    wrong.compareAndSet(null, "set " + mine + ": rc " + rc + ", " + stat);
                }
                left.countDown();
            }, null);
            a.getData(path, false, (rc, p, ctx, got, stat) -> {
                if (rc != 0 || !new String(got).equals("" + mine) || next[0]++ != 2 * mine + 1) {
                    wrong.compareAndSet(null, "get " + mine + ": rc " + rc);
                }
                left.countDown();
            }, null);
        }
        want(left.await(PATIENCE_S, TimeUnit.SECONDS), left.getCount() + " replies are missing");
        want(wrong.get() == null, wrong.get());
    }

    private void watches() throws Exception {
        String path = node("watches");
        String child = path + "/child";
        want(a.exists(child, true) == null, "child is there");
        a.getChildren(path, true);
        b.create(child, bytes("1"), OPEN, CreateMode.PERSISTENT);
        events.next(EventType.NodeCreated, child);
        events.next(EventType.NodeChildrenChanged, path);
        b.setData(child, bytes("2"), -1); // one-shot: nobody is told
        a.getData(child, true, null);
        b.setData(child, bytes("3"), -1);
        events.next(EventType.NodeDataChanged, child);
        a.getData(child, true, null);
        a.getChildren(child, true);
        a.getChildren(path, true);
        b.delete(child, -1);
        events.next(EventType.NodeDeleted, child); // one event for both watches
        events.next(EventType.NodeChildrenChanged, path);
        Events apart = new Events();
        a.getChildren(path, apart);
        a.exists(path, apart);
        b.create(child, null, OPEN, CreateMode.EPHEMERAL);
        apart.next(EventType.NodeChildrenChanged, path);
        b.delete(path + "/child", -1);
        b.delete(path, -1);
        apart.next(EventType.NodeDeleted, path);
        apart.none();
    }

    /** A watch event is delivered before the reply of any read that shows the change. */
    private void watchOrder() throws Exception {
        String path = node("order");
        for (int i = 0; i < 50; i++) {
            a.getData(path, true, null);
            a.setData(path, bytes("" + i), -1); // on the watcher's own connection
            events.next(EventType.NodeDataChanged, path);
            int told = events.znode.size();
            want(told == 0, "told twice");
            a.getData(path, true, null);
            b.setData(path, bytes("b" + i), -1);
            BlockingQueue<Boolean> seen = new LinkedBlockingQueue<>();
            int round = i;
            a.getData(path, false, (rc, p, ctx, got, stat) ->
                    seen.add(new String(got).equals("b" + round) && events.znode.size() == 1), null);
            want(Boolean.TRUE.equals(seen.poll(PATIENCE_S, TimeUnit.SECONDS)), "read before told");
            events.next(EventType.NodeDataChanged, path);
        }
    }

    private void multi() throws Exception {
        String path = node("multi");
        List<OpResult> res = a.multi(Arrays.asList(
                Op.create(path + "/a", null, OPEN, CreateMode.PERSISTENT),
                Op.setData(path + "/a", bytes("aa"), 0),
                Op.create(path + "/a/s-", bytes("x"), OPEN, CreateMode.EPHEMERAL_SEQUENTIAL),
                Op.check(path + "/a", 1),
                Op.create(path + "/b", null, OPEN, CreateMode.PERSISTENT),
                Op.delete(path + "/b", 0)));
        want(res.size() == 6, res.size() + " results");
        want(((OpResult.CreateResult) res.get(0)).getPath().equals(path + "/a"), "first path");
        Stat set = ((OpResult.SetDataResult) res.get(1)).getStat();
        want(set.getVersion() == 1 && set.getCzxid() == set.getMzxid(), "one multi, one zxid: " + set);
        want(((OpResult.CreateResult) res.get(2)).getPath().equals(path + "/a/s-0000000000"), "sequential path");
        want(res.get(3) instanceof OpResult.CheckResult && res.get(5) instanceof OpResult.DeleteResult, "kinds");
        Stat stat = new Stat();
        want(new String(b.getData(path + "/a", false, stat)).equals("aa"), "data");
        want(stat.getMzxid() == set.getMzxid() && stat.getNumChildren() == 1 && stat.getPzxid() == set.getMzxid(),
                "Stat " + stat);
        want(b.getChildren(path, false).equals(Arrays.asList("a")), "children");
        want(a.multi(new ArrayList<>()).isEmpty(), "an empty multi gave results");
    }

    private void transaction() throws Exception {
        String path = node("transaction");
        Transaction t = a.transaction();
        t.create(path + "/x", bytes("1"), OPEN, CreateMode.PERSISTENT).setData(path, bytes("2"), -1)
                .check(path + "/x", 0).delete(path + "/x", -1);
        want(t.commit().size() == 4, "results");
        want(new String(a.getData(path, false, null)).equals("2") && a.getChildren(path, false).isEmpty(), "effect");
    }

    private void multiFails() throws Exception {
        String path = node("multi-fails");
        a.getChildren(path, true);
        try {
            a.multi(Arrays.asList(
                    Op.create(path + "/a", null, OPEN, CreateMode.PERSISTENT),
                    Op.check(path, 9),
                    Op.delete(path, -1)));
        } catch (KeeperException.BadVersionException e) {
            wantEqual(codes(e.getResults()), failed(Code.OK, Code.BADVERSION, Code.RUNTIMEINCONSISTENCY), "codes");
            want(b.getChildren(path, false).isEmpty() && b.exists(path, false).getCversion() == 0, "half a multi");
            events.none();
            b.create(path + "/z", null, OPEN, CreateMode.PERSISTENT);
            events.next(EventType.NodeChildrenChanged, path);
            return;
        }
        throw new AssertionError("no error");
    }

    private void aclDigest() throws Exception {
        ZooKeeper c = connect(new Events());
        c.addAuthInfo("digest", bytes("anna:secret"));
        String path = c.create(ROOT + "/digest", bytes("x"), Collections.singletonList(
                new ACL(Perms.ALL, new Id("digest", DigestAuthenticationProvider.generateDigest("anna:secret")))),
                CreateMode.PERSISTENT);
        wantCode(Code.NOAUTH, () -> b.getData(path, false, null));
        wantCode(Code.NOAUTH, () -> b.getChildren(path, false));
        wantCode(Code.NOAUTH, () -> b.setData(path, null, -1));
        wantCode(Code.NOAUTH, () -> b.setACL(path, OPEN, -1));
        wantCode(Code.NOAUTH, () -> b.create(path + "/x", null, OPEN, CreateMode.PERSISTENT));
        want(new String(c.getData(path, false, null)).equals("x"), "data");
        String below = c.create(path + "/below", null, OPEN, CreateMode.PERSISTENT);
        wantCode(Code.NOAUTH, () -> b.delete(below, -1));
        wantCode(Code.BADVERSION, () -> c.setACL(path, OPEN, 5));
        Stat stat = c.setACL(path, Ids.READ_ACL_UNSAFE, 0);
        want(stat.getAversion() == 1 && stat.getVersion() == 0, "Stat " + stat);
        b.getData(path, false, null);
        wantCode(Code.NOAUTH, () -> c.setData(path, null, -1));
        c.close();
    }

    /** Who may not administer a znode sees no hash of a password. */
    private void aclHidden() throws Exception {
        ZooKeeper c = connect(new Events());
        c.addAuthInfo("digest", bytes("bert:secret"));
        Id bert = new Id("digest", DigestAuthenticationProvider.generateDigest("bert:secret"));
        List<ACL> acl = Arrays.asList(new ACL(Perms.ALL, bert), new ACL(Perms.READ, Ids.ANYONE_ID_UNSAFE));
        String path = c.create(ROOT + "/hidden", null, acl, CreateMode.PERSISTENT);
        Stat stat = new Stat();
        want(c.getACL(path, stat).equals(acl), "the owner sees " + c.getACL(path, stat));
        want(stat.equals(c.exists(path, false)), "Stat " + stat);
        String shown = b.getACL(path, null).toString();
        want(shown.contains("bert:x") && !shown.contains(bert.getId()), "a stranger sees " + shown);
        c.close();
    }

    private void aclX509() throws Exception {
        X509Certificate mine;
        try (FileInputStream in = new FileInputStream(certificate)) {
            mine = (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(in);
        }
        Id id = new Id("x509", mine.getSubjectX500Principal().getName());
        List<ACL> acl = Collections.singletonList(new ACL(Perms.ALL, id));
        String path = a.create(ROOT + "/x509", bytes("x"), acl, CreateMode.PERSISTENT);
        want(new String(b.getData(path, false, null)).equals("x"), "data");
        want(b.getACL(path, null).equals(acl), "ACL " + b.getACL(path, null));
        List<ACL> other = Collections.singletonList(new ACL(Perms.ALL, new Id("x509", id.getId() + ",O=Other")));
        String closed = a.create(ROOT + "/x509-other", null, other, CreateMode.PERSISTENT);
        wantCode(Code.NOAUTH, () -> a.getData(closed, false, null));
        String auth = a.create(ROOT + "/x509-auth", null, Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT);
        want(b.getACL(auth, null).contains(acl.get(0)), "CREATOR_ALL became " + b.getACL(auth, null));
    }

    private void aclIp() throws Exception {
        String near = a.create(ROOT + "/ip", bytes("x"), Collections.singletonList(
                new ACL(Perms.ALL, new Id("ip", "127.0.0.0/8"))), CreateMode.PERSISTENT);
        want(new String(b.getData(near, false, null)).equals("x"), "data");
        String far = a.create(ROOT + "/ip-far", null, Collections.singletonList(
                new ACL(Perms.ALL, new Id("ip", "10.9.8.7"))), CreateMode.PERSISTENT);
        wantCode(Code.NOAUTH, () -> b.getData(far, false, null));
        wantCode(Code.INVALIDACL, () -> a.create(ROOT + "/ip-bad", null, Collections.singletonList(
                new ACL(Perms.ALL, new Id("ip", "not.an.address"))), CreateMode.PERSISTENT));
    }

    private void config() throws Exception {
        byte[] got = a.getConfig(false, null);
        want(got != null && got.length == 0, "the configuration node holds something");
        List<String> system = sorted(a.getChildren("/zookeeper", false));
        want(system.equals(Arrays.asList("config", "quota")), "/zookeeper holds " + system);
    }

    /** What happened while the connection was away comes with the resumed session: setWatches. */
    private void reconnect() throws Exception {
        String path = node("reconnect");
        for (String name : new String[] {"changed", "deleted", "same"}) {
            node("reconnect/" + name);
        }
        String own = a.create(path + "/own", null, OPEN, CreateMode.EPHEMERAL);
        a.addAuthInfo("digest", bytes("carl:secret"));
        List<ACL> carls = Collections.singletonList(
                new ACL(Perms.ALL, new Id("digest", DigestAuthenticationProvider.generateDigest("carl:secret"))));
        String secret = a.create(path + "/secret", bytes("s"), carls, CreateMode.PERSISTENT);
        Map<String, Events> watchers = new TreeMap<>();
        for (String name : new String[] {"changed", "deleted", "same", "made", ""}) {
            watchers.put(name, new Events());
        }
        a.getData(path + "/changed", watchers.get("changed"), null);
        a.getData(path + "/deleted", watchers.get("deleted"), null);
        a.getData(path + "/same", watchers.get("same"), null);
        a.exists(path + "/made", watchers.get("made"));
        a.getChildren(path, watchers.get(""));
        long session = a.getSessionId();
        away("cut", meanwhile(path + "/changed", path + "/deleted", path + "/made"));
        watchers.get("changed").next(EventType.NodeDataChanged, path + "/changed");
        watchers.get("deleted").next(EventType.NodeDeleted, path + "/deleted");
        watchers.get("made").next(EventType.NodeCreated, path + "/made");
        watchers.get("").next(EventType.NodeChildrenChanged, path);
        want(a.getSessionId() == session && a.exists(own, false).getEphemeralOwner() == session, "another session");
        want(new String(a.getData(secret, false, null)).equals("s"), "not authenticated again");
        watchers.get("same").none();
        b.setData(path + "/same", bytes("2"), -1);
        watchers.get("same").next(EventType.NodeDataChanged, path + "/same");
    }

    /** Another process with the id and the password takes the session over, ephemerals and all. */
    private void resume() throws Exception {
        Events first = new Events();
        Mortal c = new Mortal(server, timeoutMs, first);
        first.await(KeeperState.SyncConnected);
        String own = c.create(ROOT + "/resume", null, OPEN, CreateMode.EPHEMERAL);
        c.die();
        want(b.exists(own, false) != null, "the session died with its connection");
        Events second = new Events();
        ZooKeeper d = new ZooKeeper(server, timeoutMs, second, c.getSessionId(), c.getSessionPasswd());
        second.await(KeeperState.SyncConnected);
        want(d.getSessionId() == c.getSessionId(), "another session");
        want(d.exists(own, false).getEphemeralOwner() == d.getSessionId(), "the ephemeral is gone");
        d.close();
        want(b.exists(own, false) == null, "closed, and its ephemeral is there");
    }

    private void resumeWrongPassword() throws Exception {
        Events first = new Events();
        ZooKeeper c = connect(first);
        String own = c.create(ROOT + "/resume-wrong", null, OPEN, CreateMode.EPHEMERAL);
        byte[] wrong = c.getSessionPasswd().clone();
        wrong[0] ^= 1;
        Events second = new Events();
        ZooKeeper d = new ZooKeeper(server, timeoutMs, second, c.getSessionId(), wrong);
        second.await(KeeperState.Expired);
        d.close();
        want(b.exists(own, false) != null, "the session died of a wrong password");
        wantConnected(c); // 3.8.0 cuts the owner off meanwhile
        c.close();
        want(b.exists(own, false) == null, "closed, and its ephemeral is there");
    }

    private void closeDrops() throws Exception {
        ZooKeeper c = connect(new Events());
        String own = c.create(ROOT + "/close", null, OPEN, CreateMode.EPHEMERAL);
        Events gone = new Events();
        a.exists(own, gone);
        long begun = System.nanoTime();
        c.close();
        gone.next(EventType.NodeDeleted, own);
        want(System.nanoTime() - begun < timeoutMs * 1_000_000L * 2 / 3, "told late");
    }
}
