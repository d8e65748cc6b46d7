import java.io.InputStream;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.Watcher.Event.EventType;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooKeeper;

/**
 * A consumer on ZooKeeper's own Java client: holds the lists of children of some directories up to date by watches, and
 * prints each list it reads. TLS comes with the system properties. Ends cleanly on a line on stdin, or at its end.
 *
 * Consumer server timeoutMs [-make] [-register path]... directory...
 *
 * After a reconnect it reads its lists without a watch: that later changes are told too is up to the client's setWatches.
 */
public final class Consumer {
    private final String server;
    private final int timeoutMs;
    private boolean make; // make missing directories instead of waiting for them
    private final List<String> own = new ArrayList<>();
    private final Set<String> directories = new LinkedHashSet<>();
    private final Set<String> unarmed = new HashSet<>(); // no watch there: the read was lost with the connection
    private final BlockingQueue<WatchedEvent> events = new LinkedBlockingQueue<>();
    private ZooKeeper zk;
    private long session; // 0: none yet

    private Consumer(String[] args) {
        server = args[0];
        timeoutMs = Integer.parseInt(args[1]);
        for (int i = 2; i < args.length; i++) {
            if (args[i].equals("-make")) {
                make = true;
            } else if (args[i].equals("-register")) {
                own.add(args[++i]);
            } else {
                directories.add(args[i]);
            }
        }
    }

    public static void main(String[] args) throws Exception {
        new Consumer(args).run();
    }

    private void run() throws Exception {
        WatchedEvent stop = new WatchedEvent(EventType.None, null, null);
        Thread input = new Thread(() -> {
            awaitLine(System.in);
            events.add(stop);
        });
        input.setDaemon(true);
        input.start();
        zk = new ZooKeeper(server, timeoutMs, events::add);
        for (WatchedEvent e = events.take(); e != stop; e = events.take()) {
            if (e.getType() == EventType.None) {
                onState(e);
            } else {
                onWatch(e);
            }
        }
        zk.close();
        Line.of("closed").with("session", Line.session(session)).say();
    }

    private static void awaitLine(InputStream in) {
        try {
            for (int c = in.read(); c != -1 && c != '\n'; c = in.read()) {
            }
        } catch (java.io.IOException e) {
            // the same as its end
        }
    }

    private void onState(WatchedEvent e) throws Exception {
        switch (e.getState()) {
            case SyncConnected:
                onConnected();
                break;
            case Expired:
                Line.of("lost").with("session", Line.session(session)).say();
                zk.close();
                zk = new ZooKeeper(server, timeoutMs, events::add);
                break;
            case Closed:
                break;
            default:
                Line.of("disconnected").with("state", e.getState()).say();
        }
    }

    private void onConnected() throws Exception {
        boolean resumed = zk.getSessionId() == session;
        session = zk.getSessionId();
        Line.of(resumed ? "resumed" : "session").with("session", Line.session(session))
                .with("timeout", zk.getSessionTimeout()).say();
        try {
            if (!resumed) {
                register();
            }
        } catch (KeeperException.ConnectionLossException e) {
            session = 0; // everything again with the next connection
            return;
        }
        for (String d : directories) {
            read(d, resumed ? "resumed" : "start", !resumed || unarmed.contains(d));
        }
    }

    private void register() throws Exception {
        for (String path : own) {
            makeAll(path.substring(0, path.lastIndexOf('/')));
            zk.create(path, new byte[0], Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
            Line.of("registered").with("path", path).with("session", Line.session(session)).say();
        }
        if (make) {
            for (String d : directories) {
                makeAll(d);
            }
        }
    }

    private void makeAll(String path) throws Exception {
        for (int slash = path.indexOf('/', 1); ; slash = path.indexOf('/', slash + 1)) {
            try {
                zk.create(slash < 0 ? path : path.substring(0, slash), new byte[0], Ids.OPEN_ACL_UNSAFE,
                        CreateMode.PERSISTENT);
            } catch (KeeperException.NodeExistsException e) {
                // made by another
            }
            if (slash < 0) {
                return;
            }
        }
    }

    private void onWatch(WatchedEvent e) throws Exception {
        Line.of("watch").with("type", e.getType()).with("path", e.getPath()).say();
        read(e.getPath(), "watch", true);
    }

    private void read(String directory, String why, boolean watch) throws Exception {
        unarmed.remove(directory);
        try {
            while (!list(directory, why, watch)) {
                if (zk.exists(directory, true) == null) {
                    Line.of("absent").with("path", directory).with("why", why).say();
                    return;
                }
            }
        } catch (KeeperException.ConnectionLossException e) {
            unarmed.add(directory);
        } catch (KeeperException.SessionExpiredException e) {
            unarmed.add(directory); // the event comes too
        }
    }

    private boolean list(String directory, String why, boolean watch) throws Exception {
        List<String> children;
        try {
            children = new ArrayList<>(zk.getChildren(directory, watch));
        } catch (KeeperException.NoNodeException e) {
            return false;
        }
        Collections.sort(children);
        Line.of("list").with("path", directory).with("children", children).with("why", why).say();
        return true;
    }
}
