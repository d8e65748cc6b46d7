import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.Watcher;

/** Keeps events in their order; session events apart. */
final class Events implements Watcher {
    final BlockingQueue<WatchedEvent> znode = new LinkedBlockingQueue<>();
    final BlockingQueue<Event.KeeperState> session = new LinkedBlockingQueue<>();

    @Override
    public void process(WatchedEvent e) {
        if (e.getType() == Event.EventType.None) {
            session.add(e.getState());
        } else {
            znode.add(e);
        }
    }

    void next(Event.EventType type, String path) throws InterruptedException {
        WatchedEvent e = znode.poll(Tour.PATIENCE_S, TimeUnit.SECONDS);
        Tour.want(e != null, "no " + type + " of " + path);
        Tour.want(e.getType() == type && e.getPath().equals(path), "event " + e + ", want " + type + " of " + path);
    }

    void await(Event.KeeperState state) throws InterruptedException {
        Event.KeeperState s = session.poll(Tour.PATIENCE_S, TimeUnit.SECONDS);
        while (s != null && s != state) {
            s = session.poll(Tour.PATIENCE_S, TimeUnit.SECONDS);
        }
        Tour.want(s != null, "the session never came to be " + state);
    }

    void none() {
        Tour.want(znode.isEmpty(), "an event nobody waits for: " + znode.peek());
    }
}
