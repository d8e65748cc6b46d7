import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.AddWatchMode;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.OpResult;
import org.apache.zookeeper.Watcher.Event.EventType;
import org.apache.zookeeper.Watcher.Event.KeeperState;
import org.apache.zookeeper.Watcher.WatcherType;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.admin.ZooKeeperAdmin;
import org.apache.zookeeper.cli.AddWatchCommand;
import org.apache.zookeeper.cli.CliCommand;
import org.apache.zookeeper.cli.CliException;
import org.apache.zookeeper.cli.CreateCommand;
import org.apache.zookeeper.cli.DelQuotaCommand;
import org.apache.zookeeper.cli.DeleteAllCommand;
import org.apache.zookeeper.cli.GetAllChildrenNumberCommand;
import org.apache.zookeeper.cli.GetCommand;
import org.apache.zookeeper.cli.GetConfigCommand;
import org.apache.zookeeper.cli.GetEphemeralsCommand;
import org.apache.zookeeper.cli.ListQuotaCommand;
import org.apache.zookeeper.cli.LsCommand;
import org.apache.zookeeper.cli.RemoveWatchesCommand;
import org.apache.zookeeper.cli.SetCommand;
import org.apache.zookeeper.cli.SetQuotaCommand;
import org.apache.zookeeper.cli.StatCommand;
import org.apache.zookeeper.cli.SyncCommand;
import org.apache.zookeeper.cli.WhoAmICommand;
import org.apache.zookeeper.client.ConnectStringParser;
import org.apache.zookeeper.client.HostProvider;
import org.apache.zookeeper.client.StaticHostProvider;
import org.apache.zookeeper.client.ZKClientConfig;
import org.apache.zookeeper.data.ClientInfo;
import org.apache.zookeeper.data.Stat;

/**
 * What came to ZooKeeper's own Java client with 3.5 and later: containers, znodes that live for a while, multis that
 * read, watches that stay, their removal, quotas, and the small questions; and every call in its asynchronous form.
 *
 * The server has extendedTypesEnabled, enforceQuota, and looks for containers a few times a second.
 *
 * ExtendedCheck server timeoutMs [check...]
 */
public final class ExtendedCheck extends ApiTour {
    private static final String ROOT = "/java-extended";

    private ExtendedCheck(String[] args) {
        super(ROOT, args[0], args[1]);
        choose(Arrays.asList(args).subList(2, args.length));
    }

    public static void main(String[] args) throws Exception {
        new ExtendedCheck(args).run();
    }

    @Override
    void addChecks() {
        add("container", this::container);
        add("ttl", this::ttl);
        add("multi_kinds", this::multiKinds);
        add("multi_container_fails", this::multiContainerFails);
        add("multi_read", this::multiRead);
        add("persistent_watch", this::persistentWatch);
        add("recursive_watch", this::recursiveWatch);
        add("recursive_root", this::recursiveRoot);
        add("watches_beside", this::watchesBeside);
        add("remove_data_watch", this::removeDataWatch);
        add("remove_child_watch", this::removeChildWatch);
        add("remove_any_watch", this::removeAnyWatch);
        add("remove_persistent_watch", this::removePersistentWatch);
        add("remove_all_watches", this::removeAllWatches);
        add("remove_one_of_two", this::removeOneOfTwo);
        add("ephemerals", this::ephemerals);
        add("all_children_number", this::allChildrenNumber);
        add("who_am_i", this::whoAmI);
        add("reconfig", this::reconfig);
        add("get_config", this::getConfig);
        add("quota", this::quota);
        add("quota_hard", this::quotaHard);
        add("command_line", this::commandLine);
        add("asynchronous", this::asynchronous);
        add("forms", this::forms);
        add("chroot", this::chroot);
        add("server_list", this::serverList);
        add("read_only_allowed", this::readOnlyAllowed);
        add("rearm", this::rearm);
        add("restart", this::restart);
    }

    // -- kinds of znodes --------------------------------------------------------------------------------------------

    /** A container goes when its last child has gone, and not before its first came. */
    private void container() throws Exception {
        Stat stat = new Stat();
        String path = a.create(ROOT + "/container", bytes("x"), OPEN, CreateMode.CONTAINER, stat);
        want(stat.equals(b.exists(path, false)) && stat.getEphemeralOwner() == 0 && stat.getDataLength() == 1,
                "Stat " + stat);
        String unused = a.create(ROOT + "/container-unused", null, OPEN, CreateMode.CONTAINER);
        String child = b.create(path + "/child-", null, OPEN, CreateMode.EPHEMERAL_SEQUENTIAL);
        wantEqual(child, path + "/child-0000000000", "child");
        want(a.exists(path, true) != null, "gone too early");
        b.delete(child, -1);
        events.next(EventType.NodeDeleted, path);
        want(a.exists(path, false) == null, "still there");
        want(a.exists(unused, false) != null, "one that never had a child is gone");
        make(a, path); // the name is free
        want(b.exists(path, false).getCversion() == 0, "the new znode remembers the old one");
    }

    /** They go when nobody changes them for that long; children keep them. */
    private void ttl() throws Exception {
        String path = ROOT + "/ttl";
        Events told = new Events();
        a.addWatch(path, told, AddWatchMode.PERSISTENT);
        Stat stat = new Stat();
        a.create(path, bytes("x"), OPEN, CreateMode.PERSISTENT_WITH_TTL, stat, 300);
        want(stat.getEphemeralOwner() == 0 && stat.getDataLength() == 1, "Stat " + stat);
        String seq = a.create(ROOT + "/ttl-", null, OPEN, CreateMode.PERSISTENT_SEQUENTIAL_WITH_TTL, stat, 300);
        want(seq.matches(ROOT + "/ttl-[0-9]{10}"), "sequential is " + seq);
        String parent = ROOT + "/ttl-parent";
        a.multi(Arrays.asList(Op.create(parent, null, OPEN, CreateMode.PERSISTENT_WITH_TTL, 100),
                Op.create(parent + "/child", null, OPEN, CreateMode.PERSISTENT)));
        String late = a.create(ROOT + "/ttl-late", null, OPEN, CreateMode.PERSISTENT_WITH_TTL, stat, 1_000_000);
        want(stat.equals(b.exists(late, false)), "another Stat");
        told.next(EventType.NodeCreated, path);
        told.next(EventType.NodeDeleted, path);
        wantSoon("sequential gone", () -> a.exists(seq, false) == null);
        want(a.exists(parent, false) != null && a.exists(late, false) != null, "too much is gone");
        a.delete(parent + "/child", -1);
        wantSoon("parent gone", () -> a.exists(parent, false) == null);
        a.delete(late, -1);
        a.removeAllWatches(path, WatcherType.Any, false);
    }

    // -- multis -----------------------------------------------------------------------------------------------------

    private void multiKinds() throws Exception {
        String path = node("multi");
        List<OpResult> res = a.multi(Arrays.asList(
                Op.create(path + "/p", bytes("p"), OPEN, CreateMode.PERSISTENT),
                Op.create(path + "/e", bytes("ee"), OPEN, CreateMode.EPHEMERAL),
                Op.create(path + "/s-", null, OPEN, CreateMode.PERSISTENT_SEQUENTIAL),
                Op.create(path + "/c", null, OPEN, CreateMode.CONTAINER),
                Op.create(path + "/t", null, OPEN, CreateMode.PERSISTENT_WITH_TTL, 1_000_000),
                Op.create(path + "/t-", null, OPEN, CreateMode.PERSISTENT_SEQUENTIAL_WITH_TTL, 1_000_000),
                Op.setData(path + "/p", bytes("ppp"), 0),
                Op.check(path + "/p", 1),
                Op.check(path + "/e", -1),
                Op.delete(path + "/e", 0)));
        List<String> paths = new ArrayList<>();
        for (OpResult each : res.subList(0, 6)) {
            paths.add(((OpResult.CreateResult) each).getPath().substring(path.length()));
        }
        wantEqual(paths, Arrays.asList("/p", "/e", "/s-0000000002", "/c", "/t", "/t-0000000005"), "paths");
        Stat set = ((OpResult.SetDataResult) res.get(6)).getStat();
        want(set.getVersion() == 1 && set.getDataLength() == 3 && set.getCzxid() == set.getMzxid(), "Stat " + set);
        want(res.get(7) instanceof OpResult.CheckResult && res.get(8) instanceof OpResult.CheckResult
                && res.get(9) instanceof OpResult.DeleteResult, "kinds");
        Stat made = ((OpResult.CreateResult) res.get(3)).getStat();
        want(made != null && made.getCzxid() == set.getCzxid() && made.equals(a.exists(path + "/c", false)),
                "Stat of the container: " + made);
        wantEqual(sorted(b.getChildren(path, false)), Arrays.asList("c", "p", "s-0000000002", "t", "t-0000000005"),
                "children");
    }

    private void multiContainerFails() throws Exception {
        String path = node("multi-fails");
        List<Op> ops = Arrays.asList(
                Op.create(path + "/c", null, OPEN, CreateMode.CONTAINER),
                Op.create(path + "/c/x", null, OPEN, CreateMode.EPHEMERAL),
                Op.create(path + "/c/x/below", null, OPEN, CreateMode.PERSISTENT),
                Op.create(path + "/t", null, OPEN, CreateMode.PERSISTENT_WITH_TTL, 1000));
        try {
            a.multi(ops);
        } catch (KeeperException.NoChildrenForEphemeralsException e) {
            wantEqual(codes(e.getResults()), failed(Code.OK, Code.OK, Code.NOCHILDRENFOREPHEMERALS,
                    Code.RUNTIMEINCONSISTENCY), "codes");
            want(a.getChildren(path, false).isEmpty(), "half a multi");
            want(a.exists(path, false).getCversion() == 0, "a failed multi counts");
            return;
        }
        throw new AssertionError("no error");
    }

    /** Each part is answered by itself. */
    private void multiRead() throws Exception {
        String path = node("multi-read");
        a.setData(path, bytes("data"), -1);
        make(a, path + "/one");
        make(a, path + "/two");
        List<OpResult> res = b.multi(Arrays.asList(Op.getData(path), Op.getChildren(path), Op.getData(path + "/no"),
                Op.getChildren(path + "/no"), Op.getData(path + "/one"), Op.getChildren(path + "/one")));
        wantEqual(codes(res), Arrays.asList(0, 0, Code.NONODE.intValue(), Code.NONODE.intValue(), 0, 0), "codes");
        OpResult.GetDataResult data = (OpResult.GetDataResult) res.get(0);
        want(text(data.getData()).equals("data") && data.getStat().equals(a.exists(path, false)), "data");
        wantEqual(sorted(((OpResult.GetChildrenResult) res.get(1)).getChildren()), Arrays.asList("one", "two"),
                "children");
        want(((OpResult.GetDataResult) res.get(4)).getData() == null, "null data came back as something");
        want(((OpResult.GetChildrenResult) res.get(5)).getChildren().isEmpty(), "children of a leaf");
        BlockingQueue<List<OpResult>> told = new LinkedBlockingQueue<>();
        b.multi(Arrays.asList(Op.getData(path)), (rc, p, ctx, results) -> told.add(results), null);
        List<OpResult> later = told.poll(PATIENCE_S, TimeUnit.SECONDS);
        want(later != null && text(((OpResult.GetDataResult) later.get(0)).getData()).equals("data"), "asynchronous");
    }

    // -- watches that stay ------------------------------------------------------------------------------------------

    private void persistentWatch() throws Exception {
        String path = ROOT + "/persistent";
        Events told = new Events();
        a.addWatch(path, told, AddWatchMode.PERSISTENT); // before there is a znode
        make(b, path);
        told.next(EventType.NodeCreated, path);
        for (int i = 0; i < 3; i++) {
            b.setData(path, bytes("" + i), -1);
            told.next(EventType.NodeDataChanged, path);
            make(b, path + "/child");
            told.next(EventType.NodeChildrenChanged, path);
            b.setData(path + "/child", bytes("x"), -1); // not told
            make(b, path + "/child/deep"); // not told
            b.delete(path + "/child/deep", -1);
            b.delete(path + "/child", -1);
            told.next(EventType.NodeChildrenChanged, path);
        }
        b.delete(path, -1);
        told.next(EventType.NodeDeleted, path);
        make(a, path); // on the watcher's own connection
        told.next(EventType.NodeCreated, path);
        told.none();
        a.addWatch(path, AddWatchMode.PERSISTENT); // for the default watcher
        b.setData(path, null, -1);
        events.next(EventType.NodeDataChanged, path);
        told.next(EventType.NodeDataChanged, path);
        a.removeAllWatches(path, WatcherType.Any, false);
        told.next(EventType.PersistentWatchRemoved, path);
        events.next(EventType.PersistentWatchRemoved, path);
    }

    /** Recursive ones tell the path that changed, and nothing of lists of children. */
    private void recursiveWatch() throws Exception {
        String path = ROOT + "/recursive";
        Events told = new Events();
        a.addWatch(path, told, AddWatchMode.PERSISTENT_RECURSIVE);
        List<String> paths = Arrays.asList(path, path + "/a", path + "/a/b", path + "/a/b/c");
        for (int round = 0; round < 2; round++) {
            for (String each : paths) {
                make(b, each);
                told.next(EventType.NodeCreated, each);
            }
            for (String each : paths) {
                b.setData(each, bytes("" + round), -1);
                told.next(EventType.NodeDataChanged, each);
            }
            for (int i = paths.size() - 1; i >= 0; i--) {
                b.delete(paths.get(i), -1);
                told.next(EventType.NodeDeleted, paths.get(i));
            }
        }
        make(b, path + "-beside");
        b.multi(Arrays.asList(
                Op.create(path, null, OPEN, CreateMode.PERSISTENT),
                Op.create(path + "/s-", null, OPEN, CreateMode.EPHEMERAL_SEQUENTIAL),
                Op.setData(path, bytes("x"), 0),
                Op.delete(path + "/s-0000000000", -1)));
        told.next(EventType.NodeCreated, path);
        told.next(EventType.NodeCreated, path + "/s-0000000000");
        told.next(EventType.NodeDataChanged, path);
        told.next(EventType.NodeDeleted, path + "/s-0000000000");
        told.none();
        a.removeWatches(path, told, WatcherType.Any, false);
        told.next(EventType.PersistentWatchRemoved, path);
        make(b, path + "/after");
        a.exists(path, false);
        told.none();
    }

    private void recursiveRoot() throws Exception {
        Events told = new Events();
        ZooKeeper c = connect(told);
        c.addWatch("/", AddWatchMode.PERSISTENT_RECURSIVE);
        String path = node("root-watch");
        told.next(EventType.NodeCreated, path);
        String own = a.create(path + "/own", null, OPEN, CreateMode.EPHEMERAL);
        told.next(EventType.NodeCreated, own);
        a.delete(own, -1);
        told.next(EventType.NodeDeleted, own);
        told.none();
        c.close();
    }

    /** One-shot watches below one that stays are served beside it. */
    private void watchesBeside() throws Exception {
        String path = node("watches-beside");
        Events told = new Events();
        a.addWatch(path, told, AddWatchMode.PERSISTENT_RECURSIVE);
        make(b, path + "/child");
        told.next(EventType.NodeCreated, path + "/child");
        Events once = new Events();
        a.getData(path + "/child", once, null);
        b.setData(path + "/child", bytes("1"), -1);
        once.next(EventType.NodeDataChanged, path + "/child");
        told.next(EventType.NodeDataChanged, path + "/child");
        b.setData(path + "/child", bytes("2"), -1);
        told.next(EventType.NodeDataChanged, path + "/child");
        once.none();
        a.removeAllWatches(path, WatcherType.Any, false);
        told.next(EventType.PersistentWatchRemoved, path);
    }

    // -- their removal ----------------------------------------------------------------------------------------------

    private void removeDataWatch() throws Exception {
        String path = node("remove-data");
        Events data = new Events();
        Events children = new Events();
        a.getData(path, data, null);
        a.getChildren(path, children);
        wantCode(Code.NOWATCHER, () -> a.removeWatches(path, children, WatcherType.Data, false));
        a.removeWatches(path, data, WatcherType.Data, false);
        data.next(EventType.DataWatchRemoved, path);
        wantCode(Code.NOWATCHER, () -> a.removeWatches(path, data, WatcherType.Data, false));
        b.setData(path, bytes("x"), -1);
        make(b, path + "/child");
        children.next(EventType.NodeChildrenChanged, path);
        data.none();
        String missing = path + "/missing";
        a.exists(missing, data);
        a.removeWatches(missing, data, WatcherType.Data, false);
        data.next(EventType.DataWatchRemoved, missing);
        make(b, missing);
        a.exists(path, false);
        data.none();
    }

    private void removeChildWatch() throws Exception {
        String path = node("remove-child");
        Events data = new Events();
        Events children = new Events();
        a.getData(path, data, null);
        a.getChildren(path, children);
        wantCode(Code.NOWATCHER, () -> a.removeWatches(path, data, WatcherType.Children, false));
        a.removeWatches(path, children, WatcherType.Children, false);
        children.next(EventType.ChildWatchRemoved, path);
        make(b, path + "/child");
        b.setData(path, bytes("x"), -1);
        data.next(EventType.NodeDataChanged, path);
        children.none();
    }

    private void removeAnyWatch() throws Exception {
        String path = node("remove-any");
        Events told = new Events();
        a.getData(path, told, null);
        a.getChildren(path, told);
        a.removeWatches(path, told, WatcherType.Any, false);
        Set<EventType> types = EnumSet.noneOf(EventType.class);
        for (int i = 0; i < 2; i++) {
            types.add(told.znode.poll(PATIENCE_S, TimeUnit.SECONDS).getType());
        }
        wantEqual(types, EnumSet.of(EventType.DataWatchRemoved, EventType.ChildWatchRemoved), "events");
        b.setData(path, bytes("x"), -1);
        make(b, path + "/child");
        a.exists(path, false);
        told.none();
        wantCode(Code.NOWATCHER, () -> a.removeWatches(path, told, WatcherType.Any, false));
        wantCode(Code.NOWATCHER, () -> a.removeAllWatches(path, WatcherType.Any, false));
    }

    private void removePersistentWatch() throws Exception {
        String path = node("remove-persistent");
        for (AddWatchMode mode : AddWatchMode.values()) {
            Events told = new Events();
            a.addWatch(path, told, mode);
            b.setData(path, bytes("x"), -1);
            told.next(EventType.NodeDataChanged, path);
            a.removeWatches(path, told, WatcherType.Any, false);
            told.next(EventType.PersistentWatchRemoved, path);
            b.setData(path, bytes("y"), -1);
            b.create(path + "/child-", null, OPEN, CreateMode.PERSISTENT_SEQUENTIAL);
            a.exists(path, false);
            told.none();
        }
    }

    /** removeAllWatches takes all watchers of one kind from a path. */
    private void removeAllWatches() throws Exception {
        String path = node("remove-all");
        Events first = new Events();
        Events second = new Events();
        a.getData(path, first, null);
        a.getData(path, second, null);
        a.getChildren(path, first);
        a.getChildren(path, second);
        a.removeAllWatches(path, WatcherType.Children, false);
        first.next(EventType.ChildWatchRemoved, path);
        second.next(EventType.ChildWatchRemoved, path);
        make(b, path + "/child");
        b.setData(path, bytes("x"), -1);
        first.next(EventType.NodeDataChanged, path);
        second.next(EventType.NodeDataChanged, path);
        a.getData(path, first, null);
        a.exists(path, second);
        a.getChildren(path, second);
        a.removeAllWatches(path, WatcherType.Data, false);
        first.next(EventType.DataWatchRemoved, path);
        second.next(EventType.DataWatchRemoved, path);
        b.setData(path, bytes("y"), -1);
        b.delete(path + "/child", -1);
        second.next(EventType.NodeChildrenChanged, path);
        first.none();
        second.none();
    }

    /** The server's watch stays while another watcher of this client needs it. */
    private void removeOneOfTwo() throws Exception {
        String path = node("remove-one");
        Events first = new Events();
        Events second = new Events();
        a.getData(path, first, null);
        a.getData(path, second, null);
        Events other = new Events();
        b.getData(path, other, null);
        a.removeWatches(path, first, WatcherType.Data, false);
        first.next(EventType.DataWatchRemoved, path);
        b.setData(path, bytes("x"), -1);
        second.next(EventType.NodeDataChanged, path);
        other.next(EventType.NodeDataChanged, path);
        first.none();
    }

    // -- small questions --------------------------------------------------------------------------------------------

    private void ephemerals() throws Exception {
        String path = node("ephemerals");
        ZooKeeper c = connect(new Events());
        want(c.getEphemerals().isEmpty(), "a new session owns something");
        List<String> mine = new ArrayList<>();
        for (String name : new String[] {"a", "ab", "b"}) {
            mine.add(c.create(path + "/" + name, null, OPEN, CreateMode.EPHEMERAL));
        }
        make(c, path + "/persistent");
        b.create(path + "/other", null, OPEN, CreateMode.EPHEMERAL);
        wantEqual(sorted(c.getEphemerals()), mine, "ephemerals");
        wantEqual(sorted(c.getEphemerals("/")), mine, "below /");
        wantEqual(sorted(c.getEphemerals(path + "/a")), mine.subList(0, 2), "with a prefix");
        wantEqual(c.getEphemerals(path + "/no"), new ArrayList<>(), "with another prefix");
        c.delete(mine.get(0), -1);
        wantEqual(sorted(c.getEphemerals()), mine.subList(1, 3), "one less");
        c.close();
    }

    private void allChildrenNumber() throws Exception {
        String path = node("all-children");
        wantEqual(a.getAllChildrenNumber(path), 0, "of a leaf");
        make(a, path + "/a");
        make(a, path + "/a/b");
        a.create(path + "/a/b/c", null, OPEN, CreateMode.EPHEMERAL);
        make(a, path + "-beside");
        make(a, path + "-beside/x");
        wantEqual(b.getAllChildrenNumber(path), 3, "descendants");
        wantEqual(b.getAllChildrenNumber(path + "/a"), 2, "descendants");
        a.delete(path + "/a/b/c", -1);
        wantEqual(b.getAllChildrenNumber(path), 2, "descendants");
        int all = b.getAllChildrenNumber("/");
        node("all-children-more");
        wantEqual(b.getAllChildrenNumber("/"), all + 1, "of all");
        wantCode(Code.NONODE, () -> b.getAllChildrenNumber(path + "/no"));
    }

    private void whoAmI() throws Exception {
        ZooKeeper c = connect(new Events());
        Map<String, String> first = identities(c);
        wantEqual(first.get("ip"), "127.0.0.1", "address");
        want(first.containsKey("x509") && first.get("x509").contains("consumer-java"), "identities " + first);
        c.addAuthInfo("digest", bytes("anna:secret"));
        first.put("digest", "anna");
        wantEqual(identities(c), first, "identities");
        c.close();
    }

    private static Map<String, String> identities(ZooKeeper zk) throws Exception {
        Map<String, String> out = new TreeMap<>();
        for (ClientInfo each : zk.whoAmI()) {
            want(out.put(each.getAuthScheme(), each.getUser()) == null, "twice: " + each);
        }
        return out;
    }

    private void reconfig() throws Exception {
        Events e = new Events();
        ZooKeeperAdmin admin = new ZooKeeperAdmin(server, timeoutMs, e);
        e.await(KeeperState.SyncConnected);
        wantCode(Code.RECONFIGDISABLED, () -> admin.reconfigure("server.2=127.0.0.1:1:2;3", null, null, -1, null));
        wantCode(Code.RECONFIGDISABLED, () -> admin.reconfigure(null, null, "server.2=127.0.0.1:1:2;3", -1, null));
        List<String> joining = Arrays.asList("server.2=127.0.0.1:1:2;3");
        wantCode(Code.RECONFIGDISABLED, () -> admin.reconfigure(joining, null, null, -1, null));
        Codes c = new Codes();
        admin.reconfigure(null, "2", null, -1, (rc, n, x, d, s) -> c.tell((String) x, rc), "text");
        admin.reconfigure(joining, null, null, -1, (rc, n, x, d, s) -> c.tell((String) x, rc), "lists");
        c.expected.add("text " + Code.RECONFIGDISABLED.intValue());
        c.expected.add("lists " + Code.RECONFIGDISABLED.intValue());
        c.wantAll();
        want(admin.exists(ROOT, false) != null, "not served after the refusal");
        admin.close();
        ZKClientConfig config = new ZKClientConfig();
        ZooKeeperAdmin[] rest = {
            new ZooKeeperAdmin(server, timeoutMs, new Events(), config),
            new ZooKeeperAdmin(server, timeoutMs, new Events(), true),
            new ZooKeeperAdmin(server, timeoutMs, new Events(), true, config),
        };
        for (ZooKeeperAdmin each : rest) {
            wantConnected(each);
            wantCode(Code.RECONFIGDISABLED, () -> each.reconfigure(null, "2", null, -1, null));
            each.close();
        }
    }

    private void getConfig() throws Exception {
        Stat stat = new Stat();
        byte[] got = a.getConfig(false, stat);
        want(got != null && got.length == 0 && stat.getDataLength() == 0 && stat.getVersion() == 0, "config " + stat);
        Events told = new Events();
        ZooKeeper c = connect(new Events());
        c.getConfig(told, stat);
        want(c.getConfig(told, null).length == 0, "config with a watch");
        c.close();
    }

    // -- quotas -----------------------------------------------------------------------------------------------------

    /** Runs a command of zkCli, and gives what it printed. */
    private String command(CliCommand command, String... arguments) throws CliException {
        ByteArrayOutputStream said = new ByteArrayOutputStream();
        PrintStream out = new PrintStream(said, true);
        command.setZk(a);
        command.setOut(out);
        command.setErr(out);
        command.parse(arguments).exec();
        return said.toString();
    }

    private String listQuota(String path) throws CliException {
        return command(new ListQuotaCommand(), "listquota", path);
    }

    private void wantStat(String path, String stat) throws CliException {
        String listed = listQuota(path);
        want(listed.contains("Output stat for " + path + " " + stat), "want " + stat + ", listed: " + listed);
    }

    /** Soft limits: counted, and nobody is hindered. */
    private void quota() throws Exception {
        String path = node("quota");
        make(a, path + "/before");
        a.setData(path + "/before", bytes("12345"), -1);
        want(listQuota(path).contains("does not exist"), "a quota before one was set");
        command(new SetQuotaCommand(), "setquota", "-n", "3", path);
        command(new SetQuotaCommand(), "setquota", "-b", "100", path);
        String listed = listQuota(path);
        want(listed.contains("Output quota for " + path + " count=3,bytes=100"), "listed: " + listed);
        wantStat(path, "count=2,bytes=5");
        make(b, path + "/a");
        b.create(path + "/a/e", bytes("123"), OPEN, CreateMode.EPHEMERAL);
        wantStat(path, "count=4,bytes=8");
        b.setData(path + "/a", new byte[200], -1);
        wantStat(path, "count=4,bytes=208");
        b.multi(Arrays.asList(Op.delete(path + "/before", -1), Op.setData(path + "/a", bytes("1"), -1),
                Op.create(path + "/m", bytes("12"), OPEN, CreateMode.PERSISTENT)));
        wantStat(path, "count=4,bytes=6");
        b.delete(path + "/a/e", -1);
        wantStat(path, "count=3,bytes=3");
        Stat stat = a.exists(path, false);
        want(stat.getVersion() == 0, "counting changed the znode: " + stat);
        command(new DelQuotaCommand(), "delquota", "-n", path);
        listed = listQuota(path);
        want(listed.contains("Output quota for " + path + " count=-1,bytes=100"), "listed: " + listed);
        command(new DelQuotaCommand(), "delquota", path);
        want(listQuota(path).contains("does not exist"), "the quota is still there");
        wantEqual(a.getChildren("/zookeeper/quota", false), new ArrayList<>(), "left below /zookeeper/quota");
    }

    /** Hard limits hinder, where the server says enforceQuota. */
    private void quotaHard() throws Exception {
        String path = node("quota-hard");
        command(new SetQuotaCommand(), "setquota", "-N", "3", path);
        command(new SetQuotaCommand(), "setquota", "-B", "10", path);
        make(b, path + "/a");
        b.create(path + "/b", bytes("12345"), OPEN, CreateMode.PERSISTENT);
        wantCode(Code.QUOTAEXCEEDED, () -> make(b, path + "/c"));
        wantCode(Code.QUOTAEXCEEDED, () -> b.setData(path + "/a", bytes("123456"), -1));
        b.setData(path + "/a", bytes("12345"), -1);
        b.setData(path + "/a", bytes("1"), -1);
        wantStat(path, "count=3,bytes=6");
        b.delete(path + "/a", -1);
        make(b, path + "/c");
        try {
            command(new SetQuotaCommand(), "setquota", "-n", "3", path + "/c");
            throw new AssertionError("a quota below a quota");
        } catch (CliException e) {
            want(e.getMessage().contains("quota"), "refused otherwise: " + e);
        }
        command(new DelQuotaCommand(), "delquota", path);
        make(b, path + "/d");
    }

    // -- zkCli ------------------------------------------------------------------------------------------------------

    private void commandLine() throws Exception {
        String path = ROOT + "/cli";
        command(new CreateCommand(), "create", "-c", path, "data");
        command(new CreateCommand(), "create", "-t", "1000000", path + "/ttl", "x");
        command(new CreateCommand(), "create", "-e", path + "/e");
        wantEqual(command(new GetCommand(), "get", path).trim(), "data", "get");
        command(new SetCommand(), "set", "-v", "0", path, "other");
        want(command(new GetCommand(), "get", "-s", path).contains("dataVersion = 1"), "get -s");
        want(command(new StatCommand(), "stat", path).contains("numChildren = 2"), "stat");
        want(command(new LsCommand(), "ls", "-R", path).replaceAll("\\s+", " ").trim()
                .equals(path + " " + path + "/e " + path + "/ttl"), "ls -R");
        wantEqual(command(new GetAllChildrenNumberCommand(), "getAllChildrenNumber", path).trim(), "2", "number");
        want(command(new GetEphemeralsCommand(), "getEphemerals", path).contains(path + "/e"), "getEphemerals");
        want(command(new WhoAmICommand(), "whoami").contains("x509"), "whoami");
        want(command(new SyncCommand(), "sync", path).contains("OK"), "sync");
        wantEqual(command(new GetConfigCommand(), "config").trim(), "", "config");
        command(new AddWatchCommand(), "addWatch", "-m", "PERSISTENT", path);
        command(new SetCommand(), "set", path, "more");
        events.next(EventType.NodeDataChanged, path);
        command(new RemoveWatchesCommand(), "removewatches", path);
        events.next(EventType.PersistentWatchRemoved, path);
        command(new DeleteAllCommand(), "deleteall", path);
        want(b.exists(path, false) == null, "deleteall left it");
    }

    // -- every call without waiting ---------------------------------------------------------------------------------

    /** Collects "call code" of callbacks; they come in the order of the calls. */
    private static final class Codes {
        final BlockingQueue<String> told = new LinkedBlockingQueue<>();
        final List<String> expected = new ArrayList<>();

        void tell(String call, int rc) {
            told.add(call + " " + rc);
        }

        String call(String name) {
            expected.add(name + " 0");
            return name;
        }

        void wantAll() throws Exception {
            List<String> got = new ArrayList<>();
            for (int i = 0; i < expected.size(); i++) {
                got.add(told.poll(PATIENCE_S, TimeUnit.SECONDS));
            }
            wantEqual(got, expected, "callbacks");
        }
    }

    private void asynchronous() throws Exception {
        String path = node("asynchronous");
        String p = path + "/p";
        Codes c = new Codes();
        Events told = new Events();
        a.create(p, bytes("x"), OPEN, CreateMode.PERSISTENT, (rc, n, x, s) -> c.tell((String) x, rc), c.call("create"));
        a.create(path + "/c", null, OPEN, CreateMode.CONTAINER, (rc, n, x, s, st) -> c.tell((String) x, rc),
                c.call("container"));
        a.create(path + "/t", null, OPEN, CreateMode.PERSISTENT_WITH_TTL, (rc, n, x, s, st) -> c.tell((String) x, rc),
                c.call("ttl"), 1_000_000);
        a.exists(p, told, (rc, n, x, st) -> c.tell((String) x, rc), c.call("exists"));
        a.exists(p, false, (rc, n, x, st) -> c.tell((String) x, rc), c.call("exists without a watch"));
        a.getData(p, told, (rc, n, x, d, st) -> c.tell((String) x, rc), c.call("get"));
        a.getChildren(p, told, (int rc, String n, Object x, List<String> l) -> c.tell((String) x, rc),
                c.call("children"));
        a.getChildren(p, told, (int rc, String n, Object x, List<String> l, Stat st) -> c.tell((String) x, rc),
                c.call("children2"));
        a.getACL(p, new Stat(), (rc, n, x, l, st) -> c.tell((String) x, rc), c.call("getACL"));
        a.setACL(p, OPEN, 0, (rc, n, x, st) -> c.tell((String) x, rc), c.call("setACL"));
        a.getConfig(false, (rc, n, x, d, st) -> c.tell((String) x, rc), c.call("config"));
        a.getAllChildrenNumber(path, (rc, n, x, count) -> c.tell((String) x + count, rc), "number ");
        c.expected.add("number 3 0");
        a.getEphemerals((rc, x, l) -> c.tell((String) x, rc), c.call("ephemerals"));
        a.getEphemerals(path, (rc, x, l) -> c.tell((String) x + l, rc), "below ");
        c.expected.add("below [] 0");
        a.addWatch(path, told, AddWatchMode.PERSISTENT, (rc, n, x) -> c.tell((String) x, rc), c.call("addWatch"));
        a.setData(path, bytes("y"), 0, (rc, n, x, st) -> c.tell((String) x, rc), c.call("set"));
        a.sync(path, (rc, n, x) -> c.tell((String) x, rc), c.call("sync"));
        a.multi(Arrays.asList(Op.create(path + "/m", null, OPEN, CreateMode.PERSISTENT), Op.delete(path + "/m", 0)),
                (rc, n, x, l) -> c.tell((String) x, rc), c.call("multi"));
        a.multi(Arrays.asList(Op.getData(path), Op.getChildren(path)), (rc, n, x, l) -> c.tell((String) x, rc),
                c.call("multi that reads"));
        c.wantAll();
        told.next(EventType.NodeDataChanged, path);
        told.next(EventType.NodeChildrenChanged, path); // two changes, one by one
        told.next(EventType.NodeChildrenChanged, path);
        a.removeWatches(path, told, WatcherType.Any, false, (rc, n, x) -> c.tell((String) x, rc), c.call("remove"));
        a.removeAllWatches(p, WatcherType.Data, false, (rc, n, x) -> c.tell((String) x, rc), c.call("remove all"));
        a.delete(p, -1, (rc, n, x) -> c.tell((String) x, rc), c.call("delete"));
        c.expected.subList(0, c.expected.size() - 3).clear();
        c.wantAll();
        Set<String> removed = new TreeSet<>();
        while (removed.size() < 3) {
            removed.add(String.valueOf(told.znode.poll(PATIENCE_S, TimeUnit.SECONDS)).replaceAll(".* type:", "")
                    .replaceAll(" zxid: .*", "")); // 3.9 tells it
        }
        wantEqual(removed, new TreeSet<>(Arrays.asList("PersistentWatchRemoved path:" + path,
                "DataWatchRemoved path:" + p, "NodeDeleted path:" + p)), "events");
    }

    /** The forms of calls and of the beginning of a session that no other check uses. */
    private void forms() throws Exception {
        String path = node("forms");
        Events told = new Events();
        Events byDefault = new Events();
        HostProvider hosts = new StaticHostProvider(
                new ConnectStringParser(server).getServerAddresses());
        ZKClientConfig config = new ZKClientConfig();
        ZooKeeper first = new ZooKeeper(server, timeoutMs, told, true, hosts);
        told.await(KeeperState.SyncConnected);
        wantEqual(first.getSessionTimeout(), timeoutMs, "timeout");
        first.register(byDefault);
        make(first, path + "/child");
        Codes c = new Codes();
        Stat stat = new Stat();
        Events children = new Events();
        wantEqual(first.getChildren(path, children, stat), Arrays.asList("child"), "children");
        want(stat.equals(b.exists(path, false)), "Stat " + stat);
        first.getChildren(path, true, (int rc, String n, Object x, List<String> l) -> c.tell((String) x + l, rc),
                "children ");
        c.expected.add("children [child] 0");
        first.getChildren(path, true, (int rc, String n, Object x, List<String> l, Stat s) ->
                c.tell((String) x + l + s.equals(stat), rc), "children2 ");
        c.expected.add("children2 [child]true 0");
        first.getConfig(told, (rc, n, x, d, s) -> c.tell((String) x + d.length, rc), "config ");
        c.expected.add("config 0 0");
        first.addWatch(path + "/child", AddWatchMode.PERSISTENT, (rc, n, x) -> c.tell((String) x, rc),
                c.call("addWatch"));
        c.wantAll();
        b.setData(path + "/child", bytes("x"), -1);
        byDefault.next(EventType.NodeDataChanged, path + "/child");
        make(b, path + "/other");
        children.next(EventType.NodeChildrenChanged, path);
        byDefault.next(EventType.NodeChildrenChanged, path);
        String own = first.create(path + "/own", null, OPEN, CreateMode.EPHEMERAL);
        long session = first.getSessionId();
        byte[] password = first.getSessionPasswd();
        first.getTestable().injectSessionExpiration(); // the client ends, and the session does not
        wantResumed(session, own, new ZooKeeper(server, timeoutMs, new Events(), session, password, true), false);
        wantResumed(session, own, new ZooKeeper(server, timeoutMs, new Events(), session, password, true, hosts),
                false);
        wantResumed(session, own, new ZooKeeper(server, timeoutMs, new Events(), session, password, true, hosts,
                config), true);
        want(b.exists(own, false) == null, "closed, and its ephemeral is there");
        ZooKeeper[] rest = {
            new ZooKeeper(server, timeoutMs, new Events(), config),
            new ZooKeeper(server, timeoutMs, new Events(), true, config),
            new ZooKeeper(server, timeoutMs, new Events(), true, hosts, config),
        };
        for (ZooKeeper each : rest) {
            wantConnected(each);
            want(each.getState().isConnected() && each.getSessionId() != session, "no session of its own");
            each.close();
        }
    }

    /** The session came to this client, which closes it or leaves it to the next one. */
    private static void wantResumed(long session, String own, ZooKeeper zk, boolean close) throws Exception {
        wantConnected(zk);
        wantEqual(zk.getSessionId(), session, "session");
        want(zk.exists(own, false).getEphemeralOwner() == session, "the ephemeral is gone");
        if (close) {
            zk.close();
        } else {
            zk.getTestable().injectSessionExpiration();
        }
    }

    // -- the connection ---------------------------------------------------------------------------------------------

    /** A client that lives below a path sees none of it, in events neither. */
    private void chroot() throws Exception {
        String path = node("chroot");
        Events told = new Events();
        ZooKeeper c = new ZooKeeper(server + path, timeoutMs, told);
        told.await(KeeperState.SyncConnected);
        c.addWatch("/", AddWatchMode.PERSISTENT_RECURSIVE);
        make(c, "/a");
        told.next(EventType.NodeCreated, "/a");
        String own = c.create("/a/e", null, OPEN, CreateMode.EPHEMERAL);
        told.next(EventType.NodeCreated, own);
        wantEqual(own, "/a/e", "path");
        want(b.exists(path + "/a/e", false) != null, "not below the root");
        wantEqual(c.getEphemerals(), Arrays.asList(path + "/a/e"), "ephemerals keep the whole path");
        wantEqual(c.getAllChildrenNumber("/"), 2, "descendants");
        c.close();
    }

    private void serverList() throws Exception {
        Events told = new Events();
        ZooKeeper c = connect(told);
        long session = c.getSessionId();
        c.updateServerList("127.0.0.1:1," + server);
        wantConnected(c);
        wantEqual(c.getSessionId(), session, "session");
        c.close();
    }

    /** A client that would take a read-only server gets one that writes. */
    private void readOnlyAllowed() throws Exception {
        Events told = new Events();
        ZooKeeper c = new ZooKeeper(server, timeoutMs, told, true);
        told.await(KeeperState.SyncConnected);
        wantEqual(c.getState(), ZooKeeper.States.CONNECTED, "state");
        c.delete(make(c, ROOT + "/read-only"), -1);
        c.close();
    }

    /** Watches of every kind come back with the connection (setWatches2); what a one-shot watch missed is told. */
    private void rearm() throws Exception {
        String path = node("rearm");
        for (String name : new String[] {"set", "deleted"}) {
            node("rearm/" + name);
        }
        Map<String, Events> told = new TreeMap<>();
        for (String name : new String[] {"data", "deleted", "made", "children", "persistent", "recursive"}) {
            told.put(name, new Events());
        }
        a.getData(path + "/set", told.get("data"), null);
        a.getData(path + "/deleted", told.get("deleted"), null);
        a.exists(path + "/made", told.get("made"));
        a.getChildren(path, told.get("children"));
        a.addWatch(path, told.get("persistent"), AddWatchMode.PERSISTENT);
        a.addWatch(path + "/set", told.get("recursive"), AddWatchMode.PERSISTENT_RECURSIVE);
        away("cut", meanwhile(path + "/set", path + "/deleted", path + "/made"));
        told.get("data").next(EventType.NodeDataChanged, path + "/set");
        told.get("deleted").next(EventType.NodeDeleted, path + "/deleted");
        told.get("made").next(EventType.NodeCreated, path + "/made");
        told.get("children").next(EventType.NodeChildrenChanged, path);
        // The client passes on to the others what comes for these; what else they missed is lost, but they are armed.
        told.get("persistent").next(EventType.NodeChildrenChanged, path);
        told.get("recursive").next(EventType.NodeDataChanged, path + "/set");
        wantConnected(b);
        b.setData(path, bytes("x"), -1);
        told.get("persistent").next(EventType.NodeDataChanged, path);
        make(b, path + "/set/deep");
        told.get("recursive").next(EventType.NodeCreated, path + "/set/deep");
        a.removeAllWatches(path, WatcherType.Any, false);
        a.removeAllWatches(path + "/set", WatcherType.Any, false);
    }

    /** A server that died and came back: the same session, its ephemerals, its watches of every kind. */
    private void restart() throws Exception {
        String path = node("restart");
        String own = a.create(path + "/own", null, OPEN, CreateMode.EPHEMERAL);
        String box = a.create(path + "/box", null, OPEN, CreateMode.CONTAINER);
        String kept = a.create(path + "/kept", null, OPEN, CreateMode.PERSISTENT_WITH_TTL, null, 1_000_000);
        make(a, box + "/child");
        command(new SetQuotaCommand(), "setquota", "-n", "10", path);
        Events once = new Events();
        Events persistent = new Events();
        Events recursive = new Events();
        a.getData(path, once, null);
        a.addWatch(path, persistent, AddWatchMode.PERSISTENT);
        a.addWatch(box, recursive, AddWatchMode.PERSISTENT_RECURSIVE);
        long session = a.getSessionId();
        away("restart", Collections.emptyMap());
        wantConnected(a);
        wantConnected(b);
        wantEqual(a.getSessionId(), session, "session");
        want(b.exists(own, false).getEphemeralOwner() == session && b.exists(kept, false) != null, "lost");
        wantStat(path, "count=5,bytes=0");
        b.setData(path, bytes("123"), -1);
        once.next(EventType.NodeDataChanged, path);
        persistent.next(EventType.NodeDataChanged, path);
        wantStat(path, "count=5,bytes=3");
        make(b, box + "/second");
        recursive.next(EventType.NodeCreated, box + "/second");
        b.delete(box + "/second", -1);
        b.delete(box + "/child", -1);
        recursive.next(EventType.NodeDeleted, box + "/second");
        recursive.next(EventType.NodeDeleted, box + "/child");
        recursive.next(EventType.NodeDeleted, box); // still a container
        persistent.next(EventType.NodeChildrenChanged, path);
        once.none();
        command(new DelQuotaCommand(), "delquota", path);
    }
}
