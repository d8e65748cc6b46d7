import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.queue.SimpleDistributedQueue;
import org.apache.curator.retry.RetryForever;
import org.apache.zookeeper.CreateMode;

/**
 * What Curator numbers, below one path: a line with the names of each kind that it made this time.
 *
 * Sequences server timeoutMs path
 */
public final class Sequences {
    private static final int RETRY_MS = 50;
    private static final int PATIENCE_S = 20;
    private static final int TIMES = 3;

    private Sequences() {
    }

    public static void main(String[] args) throws Exception {
        int timeoutMs = Integer.parseInt(args[1]);
        CuratorFramework client = CuratorFrameworkFactory.newClient(args[0], timeoutMs, timeoutMs, new RetryForever(RETRY_MS));
        client.start();
        if (!client.blockUntilConnected(PATIENCE_S, TimeUnit.SECONDS)) {
            throw new IllegalStateException("not connected");
        }
        say("znodes", znodes(client, args[2] + "/znodes", CreateMode.PERSISTENT_SEQUENTIAL));
        say("ephemerals", znodes(client, args[2] + "/ephemerals", CreateMode.EPHEMERAL_SEQUENTIAL));
        say("queue", queue(client, args[2] + "/queue"));
        say("mutex", mutex(client, args[2] + "/mutex"));
        client.close();
        Line.of("closed").say();
    }

    private static void say(String kind, List<String> names) {
        Line.of("made").with("kind", kind).with("names", names).say();
    }

    private static String name(String path) {
        return path.substring(path.lastIndexOf('/') + 1);
    }

    private static List<String> znodes(CuratorFramework client, String path, CreateMode mode) throws Exception {
        List<String> names = new ArrayList<>();
        for (int i = 0; i < TIMES; i++) {
            names.add(name(client.create().creatingParentsIfNeeded().withMode(mode).forPath(path + "/n-")));
        }
        return names;
    }

    /** What is in it: nobody takes anything out. */
    private static List<String> queue(CuratorFramework client, String path) throws Exception {
        SimpleDistributedQueue queue = new SimpleDistributedQueue(client, path);
        for (int i = 0; i < TIMES; i++) {
            queue.offer(new byte[] {(byte) i});
        }
        List<String> names = new ArrayList<>(client.getChildren().forPath(path));
        Collections.sort(names);
        return names;
    }

    private static List<String> mutex(CuratorFramework client, String path) throws Exception {
        InterProcessMutex mutex = new InterProcessMutex(client, path);
        List<String> numbers = new ArrayList<>();
        for (int i = 0; i < TIMES; i++) {
            mutex.acquire();
            for (String participant : mutex.getParticipantNodes()) {
                numbers.add(participant.substring(participant.length() - 10));
            }
            mutex.release();
        }
        return numbers;
    }
}
