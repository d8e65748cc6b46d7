import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.WatcherRemoveCuratorFramework;
import org.apache.curator.framework.api.ACLProvider;
import org.apache.curator.framework.api.CuratorEventType;
import org.apache.curator.framework.api.transaction.CuratorTransactionResult;
import org.apache.curator.framework.recipes.watch.PersistentWatcher;
import org.apache.zookeeper.AddWatchMode;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.Watcher.Event.EventType;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.data.ACL;
import org.apache.zookeeper.data.Stat;

/** Curator's client itself. */
final class CuratorClient extends CuratorTour {
    CuratorClient() {
        add("znodes", this::znodes);
        add("containers", this::containers);
        add("protection", this::protection);
        add("background", this::background);
        add("namespace", this::namespace);
        add("transaction", this::transaction);
        add("access", this::access);
        add("ensemble", this::ensemble);
        add("watchers", this::watchers);
        add("watchers_removed", this::watchersRemoved);
        add("persistent_watcher", this::persistentWatcher);
    }

    private void znodes() throws Exception {
        String path = ROOT + "/znodes/a/b";
        wantEqual(a.create().creatingParentsIfNeeded().forPath(path, bytes("1")), path, "path");
        Stat stat = new Stat();
        wantEqual(text(b.getData().storingStatIn(stat).forPath(path)), "1", "data");
        wantEqual(b.checkExists().forPath(path), stat, "Stat");
        wantCode(Code.NODEEXISTS, () -> a.create().forPath(path));
        a.create().orSetData().forPath(path, bytes("2"));
        wantEqual(b.setData().withVersion(1).forPath(path, bytes("3")).getVersion(), 2, "version");
        wantCode(Code.BADVERSION, () -> b.setData().withVersion(1).forPath(path, bytes("4")));
        a.setData().idempotent().withVersion(1).forPath(path, bytes("3")); // it was so already
        a.create().idempotent().forPath(path + "/i", bytes("i"));
        a.create().idempotent().forPath(path + "/i", bytes("i"));
        Stat made = new Stat();
        a.create().storingStatIn(made).withMode(CreateMode.EPHEMERAL).forPath(path + "/e");
        wantEqual(made.getEphemeralOwner(), session(a), "owner");
        byte[] large = new byte[100_000];
        a.create().compressed().forPath(path + "/z", large);
        want(Arrays.equals(b.getData().decompressed().forPath(path + "/z"), large), "decompressed");
        want(b.checkExists().forPath(path + "/z").getDataLength() < 1000, "not compressed");
        wantEqual(b.getChildren().storingStatIn(stat).forPath(path).size(), 3, "children");
        wantEqual(stat.getNumChildren(), 3, "children of the Stat");
        wantCode(Code.NOTEMPTY, () -> a.delete().forPath(path));
        a.delete().guaranteed().deletingChildrenIfNeeded().forPath(ROOT + "/znodes");
        want(b.checkExists().forPath(ROOT + "/znodes") == null, "still there");
        a.delete().quietly().forPath(ROOT + "/znodes");
    }

    /** Parents that Curator makes are containers: they go with the last child. TTL znodes go by themselves. */
    private void containers() throws Exception {
        String path = ROOT + "/containers/a/b";
        a.create().creatingParentContainersIfNeeded().forPath(path);
        a.createContainers(ROOT + "/containers/c");
        String child = a.create().withMode(CreateMode.EPHEMERAL).forPath(ROOT + "/containers/c/d");
        a.delete().forPath(child);
        a.delete().forPath(path);
        wantSoon("containers gone", () -> b.checkExists().forPath(ROOT + "/containers") == null);
        String brief = a.create().withTtl(100).creatingParentContainersIfNeeded()
                .withMode(CreateMode.PERSISTENT_WITH_TTL).forPath(ROOT + "/ttl/brief");
        wantSoon("TTL znode gone", () -> b.checkExists().forPath(brief) == null);
    }

    private void protection() throws Exception {
        String path = ROOT + "/protection/n-";
        String made = a.create().creatingParentsIfNeeded().withProtection().withMode(CreateMode.EPHEMERAL_SEQUENTIAL)
                .forPath(path, bytes("x"));
        want(made.matches(ROOT + "/protection/_c_[-0-9a-f]{36}-n-0000000000"), "path " + made);
        wantEqual(b.checkExists().forPath(made).getEphemeralOwner(), session(a), "owner");
    }

    private void background() throws Exception {
        BlockingQueue<String> told = new LinkedBlockingQueue<>();
        String path = ROOT + "/background";
        a.create().inBackground((client, e) -> told.add(e.getType() + " " + e.getResultCode())).forPath(path);
        wantNext(told, CuratorEventType.CREATE + " 0");
        a.create().inBackground((client, e) -> told.add(e.getType() + " " + e.getResultCode())).forPath(path);
        wantNext(told, CuratorEventType.CREATE + " " + Code.NODEEXISTS.intValue());
        a.setData().inBackground((client, e) -> told.add(e.getType() + " " + e.getStat().getVersion()))
                .forPath(path, bytes("x"));
        a.getData().inBackground((client, e) -> told.add(e.getType() + " " + text(e.getData()))).forPath(path);
        a.getChildren().inBackground((client, e) -> told.add(e.getType() + " " + e.getChildren())).forPath(path);
        a.getACL().inBackground((client, e) -> told.add(e.getType() + " " + e.getACLList().size())).forPath(path);
        a.sync().inBackground((client, e) -> told.add(e.getType() + " " + e.getResultCode())).forPath(path);
        a.delete().inBackground((client, e) -> told.add(e.getType() + " " + e.getResultCode())).forPath(path);
        wantEqual(nextOf(told, 6), Arrays.asList("SET_DATA 1", "GET_DATA x", "CHILDREN []", "GET_ACL 1", "SYNC 0",
                "DELETE 0"), "answers");
    }

    private void namespace() throws Exception {
        CuratorFramework inner = a.usingNamespace("curator-namespace");
        Events told = new Events();
        inner.create().creatingParentsIfNeeded().forPath("/x/y", bytes("1"));
        inner.getData().usingWatcher((Watcher) told).forPath("/x/y");
        b.setData().forPath("/curator-namespace/x/y", bytes("2"));
        told.next(EventType.NodeDataChanged, "/x/y");
        inner.delete().deletingChildrenIfNeeded().forPath("/x");
        wantSoon("namespace gone", () -> b.checkExists().forPath("/curator-namespace") == null);
    }

    private void transaction() throws Exception {
        String path = a.create().forPath(ROOT + "/transaction");
        List<CuratorTransactionResult> res = a.transaction().forOperations(
                a.transactionOp().create().withMode(CreateMode.EPHEMERAL).forPath(path + "/e", bytes("1")),
                a.transactionOp().setData().withVersion(0).forPath(path + "/e", bytes("22")),
                a.transactionOp().check().withVersion(1).forPath(path + "/e"),
                a.transactionOp().create().withMode(CreateMode.CONTAINER).forPath(path + "/c"),
                a.transactionOp().create().withTtl(1_000_000).withMode(CreateMode.PERSISTENT_WITH_TTL)
                        .forPath(path + "/t"),
                a.transactionOp().delete().forPath(path + "/c"));
        wantEqual(res.size(), 6, "results");
        wantEqual(res.get(0).getResultPath(), path + "/e", "path");
        Stat stat = res.get(1).getResultStat();
        want(stat.getVersion() == 1 && stat.getCzxid() == stat.getMzxid() && stat.getDataLength() == 2, "Stat " + stat);
        wantCode(Code.BADVERSION, () -> a.transaction().forOperations(
                a.transactionOp().create().forPath(path + "/half"),
                a.transactionOp().check().withVersion(7).forPath(path)));
        want(b.checkExists().forPath(path + "/half") == null, "half a transaction");
    }

    private void access() throws Exception {
        CuratorFramework anna = start(builder().authorization("digest", bytes("anna:secret"))
                .aclProvider(new ACLProvider() {
                    @Override
                    public List<ACL> getDefaultAcl() {
                        return Ids.CREATOR_ALL_ACL;
                    }

                    @Override
                    public List<ACL> getAclForPath(String path) {
                        return path.endsWith("/open") ? Ids.OPEN_ACL_UNSAFE : Ids.CREATOR_ALL_ACL;
                    }
                }));
        String path = ROOT + "/access/one";
        anna.create().creatingParentsIfNeeded().forPath(path, bytes("x"));
        anna.create().forPath(path + "/open", bytes("y"));
        Stat stat = new Stat();
        want(anna.getACL().storingStatIn(stat).forPath(path).toString().contains("anna:"), "ACL");
        wantEqual(text(anna.getData().forPath(path)), "x", "data");
        wantEqual(text(b.getData().forPath(path + "/open")), "y", "data");
        List<ACL> strangers = Collections.singletonList(anna.getACL().forPath(path).stream()
                .filter(acl -> acl.getId().getScheme().equals("digest")).findFirst().get());
        wantEqual(anna.setACL().withVersion(0).withACL(strangers).forPath(path).getAversion(), 1, "aversion");
        wantCode(Code.NOAUTH, () -> b.getData().forPath(path));
        wantEqual(text(anna.getData().forPath(path)), "x", "data");
        anna.close();
    }

    /** The ensemble's configuration is empty, and leaves the connect string alone. */
    private void ensemble() throws Exception {
        Stat stat = new Stat();
        wantEqual(a.getConfig().storingStatIn(stat).forEnsemble().length, 0, "configuration");
        wantEqual(a.getCurrentConfig().getVersion(), 0L, "version");
        wantEqual(a.getZookeeperClient().getCurrentConnectionString(), builder().getEnsembleProvider()
                .getConnectionString(), "connect string");
        wantCode(Code.RECONFIGDISABLED, () -> a.reconfig().leaving("2").forEnsemble());
    }

    private void watchers() throws Exception {
        String path = a.create().forPath(ROOT + "/watchers");
        Events once = new Events();
        a.getData().usingWatcher((Watcher) once).forPath(path);
        a.checkExists().usingWatcher((Watcher) once).forPath(path + "/missing");
        a.getChildren().usingWatcher((Watcher) once).forPath(path);
        b.setData().forPath(path, bytes("x"));
        once.next(EventType.NodeDataChanged, path);
        b.create().forPath(path + "/missing");
        once.next(EventType.NodeCreated, path + "/missing");
        once.next(EventType.NodeChildrenChanged, path);
        Events stays = new Events();
        a.watchers().add().withMode(AddWatchMode.PERSISTENT_RECURSIVE).usingWatcher((Watcher) stays).forPath(path);
        for (int i = 0; i < 2; i++) {
            b.setData().forPath(path + "/missing", bytes("x"));
            stays.next(EventType.NodeDataChanged, path + "/missing");
        }
        a.watchers().remove((Watcher) stays).forPath(path);
        stays.next(EventType.PersistentWatchRemoved, path);
        b.delete().forPath(path + "/missing");
        a.checkExists().forPath(path);
        once.none();
        stays.none();
    }

    private void watchersRemoved() throws Exception {
        String path = a.create().forPath(ROOT + "/watchers-removed");
        WatcherRemoveCuratorFramework facade = a.newWatcherRemoveCuratorFramework();
        Events told = new Events();
        facade.getData().usingWatcher((Watcher) told).forPath(path);
        facade.checkExists().usingWatcher((Watcher) told).forPath(path + "/missing");
        facade.removeWatchers();
        for (int i = 0; i < 2; i++) {
            wantEqual(next(told.znode, "removal").getType(), EventType.DataWatchRemoved, "event");
        }
        Events all = new Events();
        a.getChildren().usingWatcher((Watcher) all).forPath(path);
        a.getData().usingWatcher((Watcher) all).forPath(path);
        a.watchers().removeAll().ofType(Watcher.WatcherType.Children).forPath(path);
        all.next(EventType.ChildWatchRemoved, path);
        b.create().forPath(path + "/missing");
        b.setData().forPath(path, bytes("x"));
        all.next(EventType.NodeDataChanged, path);
        told.none();
        all.none();
    }

    private void persistentWatcher() throws Exception {
        String path = ROOT + "/persistent-watcher";
        Events told = new Events();
        PersistentWatcher watcher = new PersistentWatcher(a, path, true);
        BlockingQueue<String> reset = new LinkedBlockingQueue<>();
        watcher.getListenable().addListener(told);
        watcher.getResetListenable().addListener(() -> reset.add("reset"));
        watcher.start();
        wantNext(reset, "reset");
        for (int i = 0; i < 2; i++) {
            b.create().creatingParentsIfNeeded().forPath(path + "/x");
            told.next(EventType.NodeCreated, path);
            told.next(EventType.NodeCreated, path + "/x");
            b.delete().deletingChildrenIfNeeded().forPath(path);
            told.next(EventType.NodeDeleted, path + "/x");
            told.next(EventType.NodeDeleted, path);
        }
        watcher.close();
    }
}
