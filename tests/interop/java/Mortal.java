import java.io.IOException;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.ZooKeeper;

/** A client that can go away without a word, as a process does that dies: its session stays. */
@SuppressWarnings("try") // close() throws InterruptedException, in every ZooKeeper
final class Mortal extends ZooKeeper {
    Mortal(String server, int timeoutMs, Watcher w) throws IOException {
        super(server, timeoutMs, w);
    }

    void die() {
        cnxn.disconnect();
    }
}
