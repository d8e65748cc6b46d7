import java.util.Arrays;
import java.util.Collections;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.cache.CuratorCache;
import org.apache.curator.framework.recipes.cache.PathChildrenCache;
import org.apache.curator.framework.recipes.cache.TreeCache;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.data.Stat;

/** Curator when its line is cut: every client's at once, so these run one by one. */
@SuppressWarnings("deprecation") // the older caches are what most programs use
final class CuratorCuts extends CuratorTour {
    CuratorCuts() {
        add("connection_states", this::connectionStates);
        add("caches_reconnect", this::caches);
        add("restart", this::restart);
    }

    @Override
    void run() {
        runChecks();
    }

    private void connectionStates() throws Exception {
        CuratorFramework client = connect();
        BlockingQueue<ConnectionState> states = new LinkedBlockingQueue<>();
        client.getConnectionStateListenable().addListener((any, state) -> {
            if (state != ConnectionState.CONNECTED) { // told late
                states.add(state);
            }
        });
        String own = client.create().withMode(CreateMode.EPHEMERAL).forPath(ROOT + "/states");
        long session = session(client);
        Map<String, String> meanwhile = new TreeMap<>();
        meanwhile.put("set", b.create().forPath(ROOT + "/states-set"));
        meanwhile.put("delete", b.create().forPath(ROOT + "/states-delete"));
        meanwhile.put("create", ROOT + "/states-create");
        ask("cut", meanwhile);
        wantEqual(nextOf(states, 2), Arrays.asList(ConnectionState.SUSPENDED, ConnectionState.RECONNECTED), "states");
        wantEqual(session(client), session, "session");
        want(client.checkExists().forPath(own) != null, "the ephemeral is gone");
        killSession(client);
        wantEqual(nextOf(states, 3), Arrays.asList(ConnectionState.SUSPENDED, ConnectionState.LOST,
                ConnectionState.RECONNECTED), "states");
        want(client.checkExists().forPath(own) == null, "the ephemeral outlived its session");
        want(session(client) != session, "the same session again");
        client.close();
    }

    /** What happened while the line was cut is told by each cache when it is back. */
    private void caches() throws Exception {
        String path = b.create().forPath(ROOT + "/caches", bytes("r"));
        for (String name : new String[] {"/deleted", "/same", "/set"}) {
            b.create().forPath(path + name, bytes("0"));
        }
        BlockingQueue<String> byPath = new LinkedBlockingQueue<>();
        PathChildrenCache pathCache = CuratorCaches.pathCacheOf(a, path, byPath);
        pathCache.start(PathChildrenCache.StartMode.POST_INITIALIZED_EVENT);
        nextOf(byPath, 4);
        BlockingQueue<String> byTree = new LinkedBlockingQueue<>();
        TreeCache treeCache = CuratorCaches.treeCacheOf(b, path, byTree);
        nextOf(byTree, 5);
        BlockingQueue<String> byCache = new LinkedBlockingQueue<>();
        CuratorCache cache = CuratorCaches.curatorCacheOf(c, path, byCache);
        nextOf(byCache, 5);
        Map<String, String> meanwhile = new TreeMap<>();
        meanwhile.put("set", path + "/set");
        meanwhile.put("delete", path + "/deleted");
        meanwhile.put("create", path + "/made");
        ask("cut", meanwhile);
        CuratorCaches.wantSet(byPath, "CHILD_UPDATED " + path + "/set changed", "CHILD_REMOVED " + path + "/deleted 0",
                "CHILD_ADDED " + path + "/made ");
        CuratorCaches.wantSet(byTree, "NODE_UPDATED " + path + "/set changed", "NODE_REMOVED " + path + "/deleted 0",
                "NODE_ADDED " + path + "/made ");
        CuratorCaches.wantSet(byCache, "changed " + path + "/set changed", "deleted " + path + "/deleted 0",
                "created " + path + "/made ");
        b.setData().forPath(path + "/same", bytes("1"));
        CuratorCaches.wantSet(byPath, "CHILD_UPDATED " + path + "/same 1");
        CuratorCaches.wantSet(byTree, "NODE_UPDATED " + path + "/same 1");
        CuratorCaches.wantSet(byCache, "changed " + path + "/same 1");
        pathCache.close();
        treeCache.close();
        cache.close();
    }

    /** A server that died and came back: nobody lost anything, and nobody is told that anybody did. */
    private void restart() throws Exception {
        String path = b.create().forPath(ROOT + "/restart", bytes("r"));
        InterProcessMutex held = new InterProcessMutex(a, path + "-lock");
        held.acquire();
        String own = a.create().withMode(CreateMode.EPHEMERAL).forPath(path + "/own", bytes("o"));
        String seq = a.create().withMode(CreateMode.EPHEMERAL_SEQUENTIAL).forPath(path + "/seq-", bytes("s"));
        BlockingQueue<String> told = new LinkedBlockingQueue<>();
        CuratorCache cache = CuratorCaches.curatorCacheOf(c, path, told);
        nextOf(told, 4);
        Stat before = b.checkExists().forPath(own);
        long session = session(a);
        ask("restart", Collections.emptyMap());
        b.setData().forPath(path, bytes("after"));
        wantNext(told, "changed " + path + " after");
        wantEqual(b.checkExists().forPath(own), before, "Stat of an ephemeral");
        want(before.getEphemeralOwner() == session && session(a) == session, "another session");
        want(!new InterProcessMutex(b, path + "-lock").acquire(WHILE_MS, TimeUnit.MILLISECONDS), "the lock is free");
        wantEqual(a.create().withMode(CreateMode.EPHEMERAL_SEQUENTIAL).forPath(path + "/seq-", bytes("t")),
                seq.replaceAll("[0-9]+$", "0000000002"), "next in the sequence");
        wantNext(told, "created " + path + "/seq-0000000002 t");
        held.release();
        a.delete().forPath(own);
        wantNext(told, "deleted " + own + " o");
        cache.close();
    }
}
