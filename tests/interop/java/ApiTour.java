import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.OpResult;
import org.apache.zookeeper.Watcher.Event.KeeperState;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.ACL;

/** A tour through ZooKeeper's own Java client: two sessions, a and b, and a directory that the checks work in. */
abstract class ApiTour extends Tour {
    static final List<ACL> OPEN = Ids.OPEN_ACL_UNSAFE;

    final String server;
    final int timeoutMs;
    final String root;
    /** What the default watcher of a is told; nothing of it may be left after a check. */
    final Events events = new Events();
    ZooKeeper a;
    ZooKeeper b;

    ApiTour(String root, String server, String timeoutMs) {
        this.root = root;
        this.server = server;
        this.timeoutMs = Integer.parseInt(timeoutMs);
    }

    /** add() for each of them. */
    abstract void addChecks();

    void run() throws Exception {
        a = connect(events);
        b = connect(new Events());
        make(a, root);
        addChecks();
        runChecks();
        sayDone();
        a.close();
        b.close(5000);
    }

    @Override
    void afterCheck() {
        events.none();
    }

    @Override
    void afterFailure() {
        events.znode.clear();
    }

    ZooKeeper connect(Events e) throws Exception {
        ZooKeeper zk = new ZooKeeper(server, timeoutMs, e);
        e.await(KeeperState.SyncConnected);
        return zk;
    }

    /** A znode of the check's own, empty. */
    String node(String name) throws Exception {
        return a.create(root + "/" + name, new byte[0], OPEN, CreateMode.PERSISTENT);
    }

    static String make(ZooKeeper zk, String path) throws Exception {
        return zk.create(path, null, OPEN, CreateMode.PERSISTENT);
    }

    static List<String> sorted(List<String> names) {
        List<String> out = new ArrayList<>(names);
        Collections.sort(out);
        return out;
    }

    /** The error of each result, 0 for those that have none. */
    static List<Integer> codes(List<OpResult> results) {
        List<Integer> codes = new ArrayList<>();
        for (OpResult r : results) {
            codes.add(r instanceof OpResult.ErrorResult ? ((OpResult.ErrorResult) r).getErr() : 0);
        }
        return codes;
    }

    static List<Integer> failed(Code... codes) {
        List<Integer> out = new ArrayList<>();
        for (Code code : codes) {
            out.add(code.intValue());
        }
        return out;
    }

    /** What a question to the test is about: "set", "delete" and "create" with a path each. */
    static Map<String, String> meanwhile(String set, String delete, String create) {
        Map<String, String> more = new TreeMap<>();
        more.put("set", set);
        more.put("delete", delete);
        more.put("create", create);
        return more;
    }

    /** Lets the test take the connection away and give it back. */
    void away(String how, Map<String, String> more) throws Exception {
        events.session.clear();
        ask(how, more);
        events.await(KeeperState.Disconnected);
        events.await(KeeperState.SyncConnected);
    }
}
