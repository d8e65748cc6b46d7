import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.cache.ChildData;
import org.apache.curator.framework.recipes.cache.CuratorCache;
import org.apache.curator.framework.recipes.cache.CuratorCacheListener;
import org.apache.curator.framework.recipes.cache.NodeCache;
import org.apache.curator.framework.recipes.cache.PathChildrenCache;
import org.apache.curator.framework.recipes.cache.PathChildrenCacheEvent;
import org.apache.curator.framework.recipes.cache.TreeCache;
import org.apache.curator.framework.recipes.cache.TreeCacheEvent;
import org.apache.zookeeper.CreateMode;

/** Curator's caches: what a client knows of znodes, and is told of their changes. */
@SuppressWarnings("deprecation") // the older caches are what most programs use
final class CuratorCaches extends CuratorTour {
    CuratorCaches() {
        add("node_cache", this::nodeCache);
        add("path_cache", this::pathCache);
        add("tree_cache", this::treeCache);
        add("curator_cache", this::curatorCache);
        add("curator_cache_single", this::curatorCacheSingle);
        add("caches_session_killed", this::sessionKilled);
    }

    private static String say(Object type, ChildData data) {
        return data == null ? String.valueOf(type) : type + " " + data.getPath() + " " + text(data.getData());
    }

    private void nodeCache() throws Exception {
        String path = ROOT + "/node-cache";
        NodeCache cache = new NodeCache(a, path);
        BlockingQueue<String> told = new LinkedBlockingQueue<>();
        cache.getListenable().addListener(() -> told.add(say("now", cache.getCurrentData())));
        cache.start(true);
        want(cache.getCurrentData() == null, "something from nothing");
        b.create().forPath(path, bytes("1"));
        wantNext(told, "now " + path + " 1");
        for (int i = 0; i < 5; i++) {
            b.setData().forPath(path, bytes("v" + i));
            wantNext(told, "now " + path + " v" + i);
        }
        b.delete().forPath(path);
        wantNext(told, "now");
        b.create().forPath(path, bytes("2"));
        wantNext(told, "now " + path + " 2");
        wantEqual(cache.getCurrentData().getStat(), b.checkExists().forPath(path), "Stat");
        cache.close();
    }

    static PathChildrenCache pathCacheOf(CuratorFramework client, String path, BlockingQueue<String> told) {
        PathChildrenCache cache = new PathChildrenCache(client, path, true);
        cache.getListenable().addListener((any, e) -> {
            if (e.getType() == PathChildrenCacheEvent.Type.INITIALIZED || e.getData() != null) {
                told.add(say(e.getType(), e.getData()));
            }
        });
        return cache;
    }

    private void pathCache() throws Exception {
        String path = ROOT + "/path-cache";
        b.create().creatingParentsIfNeeded().forPath(path + "/early", bytes("0"));
        BlockingQueue<String> told = new LinkedBlockingQueue<>();
        PathChildrenCache cache = pathCacheOf(a, path, told);
        cache.start(PathChildrenCache.StartMode.POST_INITIALIZED_EVENT);
        wantNext(told, "CHILD_ADDED " + path + "/early 0");
        wantNext(told, "INITIALIZED");
        b.create().withMode(CreateMode.EPHEMERAL).forPath(path + "/x", bytes("1"));
        wantNext(told, "CHILD_ADDED " + path + "/x 1");
        b.setData().forPath(path + "/x", bytes("2"));
        wantNext(told, "CHILD_UPDATED " + path + "/x 2");
        b.create().creatingParentsIfNeeded().forPath(path + "/early/deep"); // not told
        b.delete().forPath(path + "/x");
        wantNext(told, "CHILD_REMOVED " + path + "/x 2");
        wantEqual(cache.getCurrentData().size(), 1, "children");
        cache.rebuild();
        wantEqual(text(cache.getCurrentData(path + "/early").getData()), "0", "data");
        cache.close();
    }

    static TreeCache treeCacheOf(CuratorFramework client, String path, BlockingQueue<String> told)
            throws Exception {
        TreeCache cache = TreeCache.newBuilder(client, path).build();
        cache.getListenable().addListener((any, e) -> {
            if (e.getType() == TreeCacheEvent.Type.INITIALIZED || e.getData() != null) {
                told.add(say(e.getType(), e.getData()));
            }
        });
        return cache.start();
    }

    private void treeCache() throws Exception {
        String path = b.create().forPath(ROOT + "/tree-cache", bytes("r"));
        BlockingQueue<String> told = new LinkedBlockingQueue<>();
        TreeCache cache = treeCacheOf(a, path, told);
        wantNext(told, "NODE_ADDED " + path + " r");
        wantNext(told, "INITIALIZED");
        String deep = path;
        for (int i = 0; i < 3; i++) {
            deep += "/" + i;
            b.create().forPath(deep, bytes("d"));
            wantNext(told, "NODE_ADDED " + deep + " d");
        }
        b.setData().forPath(deep, bytes("e"));
        wantNext(told, "NODE_UPDATED " + deep + " e");
        wantEqual(text(cache.getCurrentData(deep).getData()), "e", "data");
        wantEqual(cache.getCurrentChildren(path).keySet(), Collections.singleton("0"), "children");
        b.delete().forPath(deep);
        wantNext(told, "NODE_REMOVED " + deep + " e");
        b.delete().deletingChildrenIfNeeded().forPath(path);
        List<String> removed = nextOf(told, 3);
        want(removed.stream().allMatch(line -> line.startsWith("NODE_REMOVED ")), "events " + removed);
        b.create().forPath(path, bytes("again"));
        wantNext(told, "NODE_ADDED " + path + " again");
        cache.close();
    }

    /** What each listener of a cache is told, as it is told. */
    static CuratorCache curatorCacheOf(CuratorFramework client, String path, BlockingQueue<String> told,
            CuratorCache.Options... options) {
        CuratorCache cache = CuratorCache.build(client, path, options);
        cache.listenable().addListener(
                CuratorCacheListener.builder()
                        .forCreates(data -> told.add(say("created", data)))
                        .forChanges((old, data) -> told.add(say("changed", data)))
                        .forDeletes(data -> told.add(say("deleted", data)))
                        .forInitialized(() -> told.add("initialized")).build());
        cache.start();
        return cache;
    }

    private void curatorCache() throws Exception {
        String path = b.create().forPath(ROOT + "/curator-cache", bytes("r"));
        BlockingQueue<String> told = new LinkedBlockingQueue<>();
        CuratorCache cache = curatorCacheOf(a, path, told);
        wantNext(told, "created " + path + " r");
        wantNext(told, "initialized");
        String deep = path;
        for (int i = 0; i < 3; i++) {
            deep += "/" + i;
            b.create().forPath(deep, bytes("d"));
            wantNext(told, "created " + deep + " d");
        }
        for (int i = 0; i < 5; i++) {
            b.setData().forPath(deep, bytes("e" + i));
            wantNext(told, "changed " + deep + " e" + i);
        }
        wantEqual(cache.size(), 4, "size");
        wantEqual(text(cache.get(deep).get().getData()), "e4", "data");
        wantEqual(cache.get(deep).get().getStat(), b.checkExists().forPath(deep), "Stat");
        b.delete().forPath(deep);
        wantNext(told, "deleted " + deep + " e4");
        b.transaction().forOperations(
                b.transactionOp().create().forPath(path + "/m", bytes("m")),
                b.transactionOp().delete().forPath(path + "/0/1"));
        List<String> both = nextOf(told, 2);
        both.sort(null);
        wantEqual(both, Arrays.asList("created " + path + "/m m", "deleted " + path + "/0/1 d"), "events");
        String own = c.create().withMode(CreateMode.EPHEMERAL_SEQUENTIAL).forPath(path + "/own-", bytes("o"));
        wantNext(told, "created " + own + " o");
        c.delete().forPath(own);
        wantNext(told, "deleted " + own + " o");
        cache.close();
        b.create().forPath(path + "/after");
        a.checkExists().forPath(path);
        want(told.isEmpty(), "told after its end: " + told.peek());
    }

    private void curatorCacheSingle() throws Exception {
        String path = ROOT + "/curator-cache-single";
        BlockingQueue<String> told = new LinkedBlockingQueue<>();
        CuratorCache cache = curatorCacheOf(a, path, told, CuratorCache.Options.SINGLE_NODE_CACHE,
                CuratorCache.Options.COMPRESSED_DATA);
        wantNext(told, "initialized");
        b.create().compressed().forPath(path, bytes("1"));
        wantNext(told, "created " + path + " 1");
        b.create().forPath(path + "/child"); // not told
        b.setData().compressed().forPath(path, bytes("2"));
        wantNext(told, "changed " + path + " 2");
        b.delete().deletingChildrenIfNeeded().forPath(path);
        wantNext(told, "deleted " + path + " 2");
        cache.close();
    }

    /** These are told in any order; what else is told, as that nothing has changed, is no matter. */
    static void wantSet(BlockingQueue<String> told, String... events) throws Exception {
        Set<String> missing = new TreeSet<>(Arrays.asList(events));
        while (!missing.isEmpty()) {
            missing.remove(next(told, "any of " + missing));
        }
    }

    /** A cache goes on with the session that follows. */
    private void sessionKilled() throws Exception {
        String path = b.create().forPath(ROOT + "/caches-killed", bytes("r"));
        CuratorFramework client = connect();
        BlockingQueue<String> told = new LinkedBlockingQueue<>();
        CuratorCache cache = curatorCacheOf(client, path, told);
        // Not of the same znode: ZooKeeper 3.8.0 loses a watch that stays where a client sets another one.
        String other = b.create().forPath(path + "-other", bytes("r"));
        NodeCache nodeCache = new NodeCache(client, other);
        nodeCache.start(true);
        nextOf(told, 2);
        String own = client.create().withMode(CreateMode.EPHEMERAL).forPath(path + "/own", bytes("o"));
        wantNext(told, "created " + own + " o");
        killSession(client);
        wantSet(told, "deleted " + own + " o");
        b.setData().forPath(path, bytes("s"));
        wantSet(told, "changed " + path + " s");
        b.setData().forPath(other, bytes("s"));
        wantSoon("the other knows", () -> text(nodeCache.getCurrentData().getData()).equals("s"));
        cache.close();
        nodeCache.close();
        client.close();
    }
}
