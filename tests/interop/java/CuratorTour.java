import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.retry.RetryForever;
import org.apache.zookeeper.Watcher.Event.KeeperState;
import org.apache.zookeeper.ZooKeeper;

/** What the parts of the tour through Curator share: three clients, and how to end a session behind a client's back. */
abstract class CuratorTour extends Tour {
    static final String ROOT = "/curator";
    private static final int RETRY_MS = 50;
    private static final int CHECKS_AT_ONCE = 4;
    /** Long enough to see that nothing comes; what is judged by it fails only where something does. */
    static final int WHILE_MS = 100;

    private static String server;
    private static int timeoutMs;
    static CuratorFramework a;
    static CuratorFramework b;
    static CuratorFramework c;

    private final ExecutorService threads = Executors.newCachedThreadPool();

    static void connectAll(String server, int timeoutMs) throws Exception {
        CuratorTour.server = server;
        CuratorTour.timeoutMs = timeoutMs;
        a = connect();
        b = connect();
        c = connect();
        a.create().forPath(ROOT);
    }

    static void closeAll() {
        a.close();
        b.close();
        c.close();
    }

    static CuratorFrameworkFactory.Builder builder() {
        return CuratorFrameworkFactory.builder().connectString(server).sessionTimeoutMs(timeoutMs)
                .connectionTimeoutMs(timeoutMs).retryPolicy(new RetryForever(RETRY_MS));
    }

    static CuratorFramework start(CuratorFrameworkFactory.Builder builder) throws Exception {
        CuratorFramework client = builder.build();
        client.start();
        want(client.blockUntilConnected(PATIENCE_S, TimeUnit.SECONDS), "not connected");
        return client;
    }

    static CuratorFramework connect() throws Exception {
        return start(builder());
    }

    static long session(CuratorFramework client) throws Exception {
        return client.getZookeeperClient().getZooKeeper().getSessionId();
    }

    /** Ends the session behind its client's back: when that comes back to it, it hears that it expired. */
    static void killSession(CuratorFramework client) throws Exception {
        ZooKeeper owner = client.getZookeeperClient().getZooKeeper();
        long session = owner.getSessionId();
        byte[] password = owner.getSessionPasswd();
        while (takesOverAndCloses(session, password)) {
            // Its owner may have taken it back before it was closed.
        }
    }

    private static boolean takesOverAndCloses(long session, byte[] password) throws Exception {
        Events told = new Events();
        ZooKeeper other = new ZooKeeper(server, timeoutMs, told, session, password);
        KeeperState state;
        do {
            state = next(told.session, "an answer for session " + session);
        } while (state == KeeperState.Disconnected);
        other.close();
        return state != KeeperState.Expired;
    }

    void run() throws InterruptedException {
        runChecks(CHECKS_AT_ONCE);
        threads.shutdownNow();
    }

    /** On a thread of its own: who holds a lock of Curator is a thread. */
    <T> Future<T> apart(Callable<T> work) {
        return threads.submit(work);
    }

    static <T> T result(Future<T> future) throws Exception {
        return future.get(PATIENCE_S, TimeUnit.SECONDS);
    }

    static <T> T next(BlockingQueue<T> queue, String what) throws InterruptedException {
        T got = queue.poll(PATIENCE_S, TimeUnit.SECONDS);
        want(got != null, "never came: " + what);
        return got;
    }

    static <T> void wantNext(BlockingQueue<T> queue, T wanted) throws InterruptedException {
        wantEqual(next(queue, String.valueOf(wanted)), wanted, "next");
    }

    static <T> List<T> nextOf(BlockingQueue<T> queue, int count) throws InterruptedException {
        List<T> out = new ArrayList<>();
        while (out.size() < count) {
            out.add(next(queue, "number " + out.size() + " after " + out));
        }
        return out;
    }
}
