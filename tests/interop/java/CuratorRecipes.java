import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.atomic.AtomicValue;
import org.apache.curator.framework.recipes.atomic.CachedAtomicLong;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicInteger;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicLong;
import org.apache.curator.framework.recipes.atomic.PromotedToLock;
import org.apache.curator.framework.recipes.barriers.DistributedBarrier;
import org.apache.curator.framework.recipes.barriers.DistributedDoubleBarrier;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.leader.LeaderLatchListener;
import org.apache.curator.framework.recipes.leader.LeaderSelector;
import org.apache.curator.framework.recipes.leader.LeaderSelectorListenerAdapter;
import org.apache.curator.framework.recipes.locks.InterProcessMultiLock;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.locks.InterProcessReadWriteLock;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreMutex;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreV2;
import org.apache.curator.framework.recipes.locks.Lease;
import org.apache.curator.framework.recipes.locks.Revoker;
import org.apache.curator.framework.recipes.nodes.GroupMember;
import org.apache.curator.framework.recipes.nodes.PersistentNode;
import org.apache.curator.framework.recipes.nodes.PersistentTtlNode;
import org.apache.curator.framework.recipes.queue.DistributedDelayQueue;
import org.apache.curator.framework.recipes.queue.DistributedIdQueue;
import org.apache.curator.framework.recipes.queue.DistributedPriorityQueue;
import org.apache.curator.framework.recipes.queue.DistributedQueue;
import org.apache.curator.framework.recipes.queue.ErrorMode;
import org.apache.curator.framework.recipes.queue.QueueBuilder;
import org.apache.curator.framework.recipes.queue.QueueConsumer;
import org.apache.curator.framework.recipes.queue.QueueSerializer;
import org.apache.curator.framework.recipes.queue.SimpleDistributedQueue;
import org.apache.curator.framework.recipes.shared.SharedCount;
import org.apache.curator.framework.recipes.shared.SharedCountListener;
import org.apache.curator.framework.recipes.shared.SharedCountReader;
import org.apache.curator.framework.recipes.shared.SharedValue;
import org.apache.curator.framework.recipes.shared.VersionedValue;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.curator.retry.RetryNTimes;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.data.Stat;

/** Curator's recipes: leaders, locks, barriers, queues, counters, znodes that are kept up. */
final class CuratorRecipes extends CuratorTour {
    CuratorRecipes() {
        add("leader_latch", this::leaderLatch);
        add("leader_latch_session_killed", this::leaderLatchKilled);
        add("leader_selector", this::leaderSelector);
        add("mutex", this::mutex);
        add("mutex_contended", this::mutexContended);
        add("mutex_session_killed", this::mutexKilled);
        add("mutex_revoked", this::mutexRevoked);
        add("multi_lock", this::multiLock);
        add("semaphore_mutex", this::semaphoreMutex);
        add("read_write_lock", this::readWriteLock);
        add("semaphore", this::semaphore);
        add("semaphore_shared_count", this::semaphoreSharedCount);
        add("barrier", this::barrier);
        add("double_barrier", this::doubleBarrier);
        add("queue", this::queue);
        add("queue_safe", this::queueSafe);
        add("queue_priority", this::queuePriority);
        add("queue_delay", this::queueDelay);
        add("queue_id", this::queueId);
        add("queue_simple", this::queueSimple);
        add("persistent_node", this::persistentNode);
        add("persistent_ttl_node", this::persistentTtlNode);
        add("group_member", this::groupMember);
        add("shared_count", this::sharedCount);
        add("shared_value", this::sharedValue);
        add("atomic_long", this::atomicLong);
        add("atomic_promoted", this::atomicPromoted);
    }

    // -- leaders ----------------------------------------------------------------------------------------------------

    private void leaderLatch() throws Exception {
        String path = ROOT + "/latch";
        LeaderLatch first = new LeaderLatch(a, path, "first");
        first.start();
        want(first.await(PATIENCE_S, TimeUnit.SECONDS), "alone, and no leader");
        LeaderLatch second = new LeaderLatch(b, path, "second");
        second.start();
        wantSoon("second takes part", () -> first.getParticipants().size() == 2);
        LeaderLatch third = new LeaderLatch(c, path, "third");
        third.start();
        wantSoon("third takes part", () -> first.getParticipants().size() == 3);
        wantEqual(third.getLeader().getId(), "first", "leader");
        want(!second.hasLeadership() && !third.hasLeadership(), "two leaders");
        second.close(); // who waits may go
        first.close();
        want(third.await(PATIENCE_S, TimeUnit.SECONDS) && third.hasLeadership(), "nobody follows");
        wantEqual(third.getLeader().getId(), "third", "leader");
        third.close();
        wantSoon("nothing left", () -> {
            try {
                return b.getChildren().forPath(path).isEmpty();
            } catch (KeeperException.NoNodeException e) {
                return true; // the container is gone too
            }
        });
    }

    /** A leader whose session ends is none any more, and stands again at the end of the row. */
    private void leaderLatchKilled() throws Exception {
        String path = ROOT + "/latch-killed";
        CuratorFramework client = connect();
        BlockingQueue<String> told = new LinkedBlockingQueue<>();
        LeaderLatch first = new LeaderLatch(client, path, "first");
        first.addListener(new LeaderLatchListener() {
            @Override
            public void isLeader() {
                told.add("leader");
            }

            @Override
            public void notLeader() {
                told.add("not");
            }
        });
        first.start();
        wantNext(told, "leader");
        LeaderLatch second = new LeaderLatch(b, path, "second");
        second.start();
        wantSoon("second takes part", () -> second.getParticipants().size() == 2);
        killSession(client);
        wantNext(told, "not");
        want(second.await(PATIENCE_S, TimeUnit.SECONDS), "nobody follows");
        wantSoon("first stands again", () -> second.getParticipants().size() == 2);
        wantEqual(second.getLeader().getId(), "second", "leader");
        second.close();
        wantNext(told, "leader");
        first.close();
        client.close();
    }

    private void leaderSelector() throws Exception {
        String path = ROOT + "/selector";
        BlockingQueue<String> leaders = new LinkedBlockingQueue<>();
        Semaphore give = new Semaphore(0);
        AtomicInteger atOnce = new AtomicInteger();
        List<LeaderSelector> selectors = new ArrayList<>();
        for (CuratorFramework client : Arrays.asList(a, b, c)) {
            String id = "s" + selectors.size();
            LeaderSelector selector = new LeaderSelector(client, path, new LeaderSelectorListenerAdapter() {
                @Override
                public void takeLeadership(CuratorFramework any) throws Exception {
                    try {
                        leaders.add(atOnce.incrementAndGet() == 1 ? id : "two leaders");
                        give.acquire();
                    } finally {
                        atOnce.decrementAndGet();
                    }
                }
            });
            selector.setId(id);
            selector.autoRequeue();
            selectors.add(selector);
            selector.start();
            int count = selectors.size();
            wantSoon(id + " takes part", () -> selector.getParticipants().size() == count);
        }
        for (int i = 0; i < 6; i++) {
            wantNext(leaders, "s" + i % 3);
            wantEqual(selectors.get(0).getLeader().getId(), "s" + i % 3, "leader");
            give.release();
        }
        wantNext(leaders, "s0");
        selectors.get(0).interruptLeadership();
        wantNext(leaders, "s1");
        for (LeaderSelector selector : selectors) {
            selector.close();
        }
    }

    // -- locks ------------------------------------------------------------------------------------------------------

    private void mutex() throws Exception {
        String path = ROOT + "/mutex";
        InterProcessMutex one = new InterProcessMutex(a, path);
        InterProcessMutex two = new InterProcessMutex(b, path);
        one.acquire();
        want(one.acquire(WHILE_MS, TimeUnit.MILLISECONDS), "not reentrant");
        want(!two.acquire(WHILE_MS, TimeUnit.MILLISECONDS), "held twice");
        Future<Boolean> waits = apart(() -> {
            two.acquire();
            two.release();
            return true;
        });
        wantSoon("two wait", () -> one.getParticipantNodes().size() == 2);
        one.release();
        want(one.isOwnedByCurrentThread() && !waits.isDone(), "released too early");
        one.release();
        want(result(waits), "not released");
        wantSoon("nothing left", () -> {
            Stat stat = b.checkExists().forPath(path);
            return stat == null || stat.getNumChildren() == 0;
        });
    }

    /** The lock guards a read and a write that are two. */
    private void mutexContended() throws Exception {
        String path = ROOT + "/mutex-contended";
        String counter = a.create().forPath(ROOT + "/mutex-counter", bytes("0"));
        int rounds = 15;
        List<Future<Boolean>> all = new ArrayList<>();
        for (CuratorFramework client : Arrays.asList(a, b, c)) {
            all.add(apart(() -> {
                InterProcessMutex lock = new InterProcessMutex(client, path);
                for (int i = 0; i < rounds; i++) {
                    lock.acquire();
                    int count = Integer.parseInt(text(client.getData().forPath(counter)));
                    client.setData().forPath(counter, bytes("" + (count + 1)));
                    lock.release();
                }
                return true;
            }));
        }
        for (Future<Boolean> each : all) {
            result(each);
        }
        wantEqual(text(a.getData().forPath(counter)), "" + 3 * rounds, "count");
    }

    private void mutexKilled() throws Exception {
        String path = ROOT + "/mutex-killed";
        CuratorFramework client = connect();
        new InterProcessMutex(client, path).acquire();
        InterProcessMutex two = new InterProcessMutex(b, path);
        Future<Boolean> waits = apart(() -> two.acquire(PATIENCE_S, TimeUnit.SECONDS));
        wantSoon("two wait", () -> two.getParticipantNodes().size() == 2);
        want(!waits.isDone(), "held twice");
        killSession(client);
        want(result(waits), "still held by a dead session");
        client.close();
    }

    private void mutexRevoked() throws Exception {
        String path = ROOT + "/mutex-revoked";
        InterProcessMutex one = new InterProcessMutex(a, path);
        BlockingQueue<String> asked = new LinkedBlockingQueue<>();
        one.makeRevocable(lock -> asked.add("asked"));
        one.acquire();
        InterProcessMutex two = new InterProcessMutex(b, path);
        Revoker.attemptRevoke(b, two.getParticipantNodes().iterator().next());
        wantNext(asked, "asked");
        one.release();
        want(two.acquire(PATIENCE_S, TimeUnit.SECONDS), "not released");
        two.release();
    }

    private void multiLock() throws Exception {
        List<String> paths = Arrays.asList(ROOT + "/multi-one", ROOT + "/multi-two");
        InterProcessMultiLock both = new InterProcessMultiLock(a, paths);
        InterProcessMutex second = new InterProcessMutex(b, paths.get(1));
        second.acquire();
        want(!both.acquire(WHILE_MS, TimeUnit.MILLISECONDS), "held twice");
        InterProcessMutex first = new InterProcessMutex(c, paths.get(0));
        want(first.acquire(PATIENCE_S, TimeUnit.SECONDS), "the half that failed is held");
        first.release();
        second.release();
        want(both.acquire(PATIENCE_S, TimeUnit.SECONDS), "not released");
        want(!first.acquire(WHILE_MS, TimeUnit.MILLISECONDS), "held twice");
        both.release();
    }

    private void semaphoreMutex() throws Exception {
        String path = ROOT + "/semaphore-mutex";
        InterProcessSemaphoreMutex one = new InterProcessSemaphoreMutex(a, path);
        InterProcessSemaphoreMutex two = new InterProcessSemaphoreMutex(b, path);
        one.acquire();
        want(!one.acquire(WHILE_MS, TimeUnit.MILLISECONDS), "reentrant");
        want(!two.acquire(WHILE_MS, TimeUnit.MILLISECONDS), "held twice");
        one.release();
        want(two.acquire(PATIENCE_S, TimeUnit.SECONDS), "not released");
        two.release();
    }

    private void readWriteLock() throws Exception {
        String path = ROOT + "/read-write";
        InterProcessReadWriteLock one = new InterProcessReadWriteLock(a, path);
        InterProcessReadWriteLock two = new InterProcessReadWriteLock(b, path);
        InterProcessReadWriteLock three = new InterProcessReadWriteLock(c, path);
        one.readLock().acquire();
        want(two.readLock().acquire(PATIENCE_S, TimeUnit.SECONDS), "readers exclude each other");
        want(!three.writeLock().acquire(WHILE_MS, TimeUnit.MILLISECONDS), "a writer beside readers");
        one.readLock().release();
        two.readLock().release();
        three.writeLock().acquire();
        want(!one.readLock().acquire(WHILE_MS, TimeUnit.MILLISECONDS), "a reader beside a writer");
        want(!two.writeLock().acquire(WHILE_MS, TimeUnit.MILLISECONDS), "two writers");
        three.readLock().acquire(); // who writes may read, and go on to read alone
        three.writeLock().release();
        want(one.readLock().acquire(PATIENCE_S, TimeUnit.SECONDS), "not released");
        want(!two.writeLock().acquire(WHILE_MS, TimeUnit.MILLISECONDS), "a writer beside readers");
        one.readLock().release();
        three.readLock().release();
        want(two.writeLock().acquire(PATIENCE_S, TimeUnit.SECONDS), "not released");
        two.writeLock().release();
    }

    private void semaphore() throws Exception {
        String path = ROOT + "/semaphore";
        InterProcessSemaphoreV2 one = new InterProcessSemaphoreV2(a, path, 3);
        InterProcessSemaphoreV2 two = new InterProcessSemaphoreV2(b, path, 3);
        one.setNodeData(bytes("mine"));
        Collection<Lease> leases = one.acquire(2);
        Lease third = two.acquire(PATIENCE_S, TimeUnit.SECONDS);
        want(third != null, "no third lease");
        wantEqual(text(leases.iterator().next().getData()), "mine", "data");
        want(two.acquire(WHILE_MS, TimeUnit.MILLISECONDS) == null, "a fourth lease of three");
        Future<Lease> waits = apart(() -> two.acquire(PATIENCE_S, TimeUnit.SECONDS));
        one.returnAll(leases);
        want(result(waits) != null, "returned, and not to be had");
        wantEqual(two.getParticipantNodes().size(), 2, "leases");
        two.returnLease(third);
        two.returnLease(waits.get());
        CuratorFramework client = connect();
        new InterProcessSemaphoreV2(client, path, 3).acquire(3);
        client.close(); // leases go with their session
        Collection<Lease> all = one.acquire(3, PATIENCE_S, TimeUnit.SECONDS);
        want(all != null, "held by nobody, and not to be had");
        one.returnAll(all);
    }

    private void semaphoreSharedCount() throws Exception {
        String path = ROOT + "/semaphore-shared";
        SharedCount most = new SharedCount(a, ROOT + "/semaphore-count", 1);
        most.start();
        InterProcessSemaphoreV2 one = new InterProcessSemaphoreV2(a, path, most);
        Lease first = one.acquire();
        Future<Lease> waits = apart(() -> one.acquire(PATIENCE_S, TimeUnit.SECONDS));
        wantSoon("two wait", () -> one.getParticipantNodes().size() == 2);
        want(!waits.isDone(), "two leases of one");
        most.setCount(2);
        want(result(waits) != null, "two are allowed, and the second is not to be had");
        one.returnLease(first);
        one.returnLease(waits.get());
        most.close();
    }

    // -- barriers ---------------------------------------------------------------------------------------------------

    private void barrier() throws Exception {
        String path = ROOT + "/barrier";
        DistributedBarrier gate = new DistributedBarrier(a, path);
        gate.setBarrier();
        List<Future<Boolean>> waits = new ArrayList<>();
        for (CuratorFramework client : Arrays.asList(b, c)) {
            want(!new DistributedBarrier(client, path).waitOnBarrier(WHILE_MS, TimeUnit.MILLISECONDS), "open");
            waits.add(apart(() -> new DistributedBarrier(client, path).waitOnBarrier(PATIENCE_S, TimeUnit.SECONDS)));
        }
        gate.removeBarrier();
        for (Future<Boolean> each : waits) {
            want(result(each), "still closed");
        }
        want(new DistributedBarrier(b, path).waitOnBarrier(PATIENCE_S, TimeUnit.SECONDS), "closed again");
    }

    private void doubleBarrier() throws Exception {
        String path = ROOT + "/double-barrier";
        AtomicInteger inside = new AtomicInteger();
        AtomicInteger outside = new AtomicInteger();
        List<Future<Boolean>> all = new ArrayList<>();
        for (CuratorFramework client : Arrays.asList(a, b, c)) {
            want(inside.get() == 0, "inside before all came");
            all.add(apart(() -> {
                DistributedDoubleBarrier gate = new DistributedDoubleBarrier(client, path, 3);
                boolean ok = gate.enter(PATIENCE_S, TimeUnit.SECONDS);
                inside.incrementAndGet();
                wantSoon("all are inside", () -> inside.get() == 3);
                want(outside.get() == 0, "outside before all were inside");
                ok = gate.leave(PATIENCE_S, TimeUnit.SECONDS) && ok;
                outside.incrementAndGet();
                return ok;
            }));
        }
        for (Future<Boolean> each : all) {
            want(result(each), "entered or left alone");
        }
    }

    // -- queues -----------------------------------------------------------------------------------------------------

    private static final class Strings implements QueueSerializer<String> {
        @Override
        public byte[] serialize(String item) {
            return bytes(item);
        }

        @Override
        public String deserialize(byte[] data) {
            return text(data);
        }
    }

    /** Takes what comes; refuses what begins with "bad", once. */
    private static final class Consumer implements QueueConsumer<String> {
        final BlockingQueue<String> got = new LinkedBlockingQueue<>();
        final AtomicBoolean refused = new AtomicBoolean();

        @Override
        public void consumeMessage(String item) {
            if (item.startsWith("bad") && refused.compareAndSet(false, true)) {
                throw new IllegalStateException("once more, please");
            }
            got.add(item);
        }

        @Override
        public void stateChanged(CuratorFramework client, ConnectionState state) {
        }
    }

    private static QueueBuilder<String> queueOf(CuratorFramework client, Consumer consumer, String path) {
        return QueueBuilder.builder(client, consumer, new Strings(), path);
    }

    private void queue() throws Exception {
        String path = ROOT + "/queue";
        DistributedQueue<String> in = queueOf(a, null, path).buildQueue();
        in.start();
        in.put("0");
        in.put("1");
        want(in.flushPuts(PATIENCE_S, TimeUnit.SECONDS), "not put");
        Consumer consumer = new Consumer();
        DistributedQueue<String> out = queueOf(b, consumer, path).buildQueue();
        out.start();
        wantEqual(nextOf(consumer.got, 2), Arrays.asList("0", "1"), "items");
        for (int i = 0; i < 20; i++) {
            in.put("" + i);
            wantNext(consumer.got, "" + i);
        }
        AtomicInteger left = new AtomicInteger(3);
        in.putMulti(() -> left.getAndDecrement() > 0 ? "m" + left.get() : null);
        wantEqual(nextOf(consumer.got, 3), Arrays.asList("m2", "m1", "m0"), "items");
        wantSoon("empty", () -> a.checkExists().forPath(path).getNumChildren() == 0);
        in.close();
        out.close();
    }

    /** With locks an item that its consumer did not manage comes again. */
    private void queueSafe() throws Exception {
        String path = ROOT + "/queue-safe";
        Consumer consumer = new Consumer();
        List<DistributedQueue<String>> all = new ArrayList<>();
        for (CuratorFramework client : Arrays.asList(a, b)) {
            DistributedQueue<String> each = queueOf(client, consumer, path).lockPath(path + "-lock").buildQueue();
            each.setErrorMode(ErrorMode.REQUEUE);
            each.start();
            all.add(each);
        }
        for (String item : new String[] {"bad", "x", "y"}) {
            all.get(0).put(item);
        }
        List<String> got = nextOf(consumer.got, 3);
        got.sort(null);
        wantEqual(got, Arrays.asList("bad", "x", "y"), "items");
        want(consumer.refused.get(), "not tried before");
        for (DistributedQueue<String> each : all) {
            each.close();
        }
        want(consumer.got.isEmpty(), "consumed twice: " + consumer.got);
    }

    private void queuePriority() throws Exception {
        String path = ROOT + "/queue-priority";
        DistributedPriorityQueue<String> in = queueOf(a, null, path).buildPriorityQueue(0);
        in.start();
        for (int priority : new int[] {7, -3, 5, 0}) {
            in.put("" + priority, priority);
        }
        want(in.flushPuts(PATIENCE_S, TimeUnit.SECONDS), "not put");
        Consumer consumer = new Consumer();
        DistributedPriorityQueue<String> out = queueOf(b, consumer, path).buildPriorityQueue(0);
        out.start();
        wantEqual(nextOf(consumer.got, 4), Arrays.asList("-3", "0", "5", "7"), "items");
        in.close();
        out.close();
    }

    private void queueDelay() throws Exception {
        String path = ROOT + "/queue-delay";
        Consumer consumer = new Consumer();
        DistributedDelayQueue<String> queue = queueOf(a, consumer, path).buildDelayQueue();
        queue.start();
        long now = System.currentTimeMillis();
        queue.put("later", now + 400);
        queue.put("sooner", now + 200);
        wantNext(consumer.got, "sooner");
        want(System.currentTimeMillis() >= now + 200, "too soon");
        wantNext(consumer.got, "later");
        want(System.currentTimeMillis() >= now + 400, "too soon");
        queue.close();
    }

    private void queueId() throws Exception {
        String path = ROOT + "/queue-id";
        DistributedIdQueue<String> in = queueOf(a, null, path).buildIdQueue();
        in.start();
        in.put("one", "id-1");
        in.put("two", "id-2");
        want(in.flushPuts(PATIENCE_S, TimeUnit.SECONDS), "not put");
        wantEqual(in.remove("id-1"), 1, "removed");
        Consumer consumer = new Consumer();
        DistributedIdQueue<String> out = queueOf(b, consumer, path).buildIdQueue();
        out.start();
        wantNext(consumer.got, "two");
        in.close();
        out.close();
    }

    private void queueSimple() throws Exception {
        String path = ROOT + "/queue-simple";
        SimpleDistributedQueue in = new SimpleDistributedQueue(a, path);
        SimpleDistributedQueue out = new SimpleDistributedQueue(b, path);
        Future<byte[]> waits = apart(out::take);
        want(in.offer(bytes("1")), "not taken in");
        wantEqual(text(result(waits)), "1", "item");
        want(out.poll() == null && out.peek() == null, "not empty");
        in.offer(bytes("2"));
        in.offer(bytes("3"));
        wantEqual(text(out.peek()) + text(out.poll()) + text(out.remove()), "223", "items");
        want(out.poll(WHILE_MS, TimeUnit.MILLISECONDS) == null, "not empty");
    }

    // -- znodes that are kept up ------------------------------------------------------------------------------------

    private void persistentNode() throws Exception {
        String path = ROOT + "/persistent-node/n";
        CuratorFramework client = connect();
        PersistentNode node = new PersistentNode(client, CreateMode.EPHEMERAL, false, path, bytes("1"));
        node.start();
        want(node.waitForInitialCreate(PATIENCE_S, TimeUnit.SECONDS), "not made");
        long first = b.checkExists().forPath(path).getCzxid();
        b.delete().forPath(path);
        wantSoon("made again", () -> {
            Stat stat = b.checkExists().forPath(path);
            return stat != null && stat.getCzxid() > first;
        });
        node.setData(bytes("2"));
        wantSoon("changed", () -> text(b.getData().forPath(path)).equals("2"));
        long session = session(client);
        killSession(client);
        wantSoon("made by the new session", () -> {
            Stat stat = b.checkExists().forPath(path);
            return stat != null && stat.getEphemeralOwner() != session;
        });
        wantEqual(b.checkExists().forPath(path).getEphemeralOwner(), session(client), "owner");
        wantEqual(text(b.getData().forPath(path)), "2", "data");
        node.close();
        wantSoon("gone", () -> b.checkExists().forPath(path) == null);
        client.close();
    }

    private void persistentTtlNode() throws Exception {
        String path = ROOT + "/persistent-ttl";
        PersistentTtlNode node = new PersistentTtlNode(a, path, 600, bytes("x"));
        node.start();
        want(node.waitForInitialCreate(PATIENCE_S, TimeUnit.SECONDS), "not made");
        String touched = path + "/" + PersistentTtlNode.DEFAULT_CHILD_NODE_NAME;
        wantSoon("touched", () -> {
            Stat stat = b.checkExists().forPath(touched);
            return stat != null && stat.getVersion() > 0;
        });
        node.close();
        wantSoon("gone", () -> b.checkExists().forPath(path) == null);
    }

    private void groupMember() throws Exception {
        String path = ROOT + "/group";
        GroupMember one = new GroupMember(a, path, "one", bytes("1"));
        GroupMember two = new GroupMember(b, path, "two", bytes("2"));
        one.start();
        two.start();
        wantSoon("one sees both", () -> one.getCurrentMembers().size() == 2);
        wantSoon("two sees both", () -> two.getCurrentMembers().size() == 2);
        wantEqual(text(one.getCurrentMembers().get("two")), "2", "data");
        two.close();
        wantSoon("one is alone", () -> one.getCurrentMembers().keySet().equals(Collections.singleton("one")));
        one.close();
    }

    // -- counters ---------------------------------------------------------------------------------------------------

    private void sharedCount() throws Exception {
        String path = ROOT + "/shared-count";
        SharedCount one = new SharedCount(a, path, 10);
        SharedCount two = new SharedCount(b, path, 10);
        BlockingQueue<Integer> told = new LinkedBlockingQueue<>();
        two.addListener(new SharedCountListener() {
            @Override
            public void countHasChanged(SharedCountReader reader, int count) {
                told.add(count);
            }

            @Override
            public void stateChanged(CuratorFramework client, ConnectionState state) {
            }
        });
        one.start();
        two.start();
        wantEqual(two.getCount(), 10, "count");
        VersionedValue<Integer> stale = one.getVersionedValue();
        one.setCount(11);
        wantNext(told, 11);
        want(one.trySetCount(one.getVersionedValue(), 12), "not set");
        wantNext(told, 12);
        want(!one.trySetCount(stale, 13), "set from a stale value");
        wantEqual(two.getCount(), 12, "count");
        one.close();
        two.close();
    }

    private void sharedValue() throws Exception {
        String path = ROOT + "/shared-value";
        SharedValue one = new SharedValue(a, path, bytes("seed"));
        SharedValue two = new SharedValue(b, path, bytes("seed"));
        one.start();
        two.start();
        wantEqual(text(two.getValue()), "seed", "value");
        VersionedValue<byte[]> stale = two.getVersionedValue();
        want(one.trySetValue(one.getVersionedValue(), bytes("1")), "not set");
        wantSoon("seen", () -> text(two.getValue()).equals("1"));
        want(!two.trySetValue(stale, bytes("2")), "set from a stale value");
        one.close();
        two.close();
    }

    private void atomicLong() throws Exception {
        String path = ROOT + "/atomic-long";
        int rounds = 15;
        List<Future<Integer>> all = new ArrayList<>();
        for (CuratorFramework client : Arrays.asList(a, b, c)) {
            all.add(apart(() -> {
                DistributedAtomicLong value = new DistributedAtomicLong(client, path, new RetryNTimes(50, 1));
                int failed = 0;
                for (int i = 0; i < rounds; i++) {
                    failed += value.increment().succeeded() ? 0 : 1;
                }
                return failed;
            }));
        }
        long wanted = 3 * rounds;
        for (Future<Integer> each : all) {
            wanted -= result(each);
        }
        DistributedAtomicLong value = new DistributedAtomicLong(a, path, new RetryNTimes(50, 1));
        wantEqual(value.get().postValue(), wanted, "count");
        AtomicValue<Long> set = value.compareAndSet(wanted, 100L);
        want(set.succeeded() && set.preValue() == wanted && set.postValue() == 100, "not set");
        want(!value.compareAndSet(wanted, 200L).succeeded(), "set from another value");
        wantEqual(value.subtract(30L).postValue(), 70L, "less");
        want(!value.initialize(1L), "initialized twice");
        CachedAtomicLong cached = new CachedAtomicLong(value, 10);
        wantEqual(cached.next().postValue(), 71L, "cached");
        wantEqual(cached.next().postValue(), 72L, "cached");
        wantEqual(value.get().postValue(), 80L, "taken ahead");
    }

    /** Where trying fails, a lock helps. */
    private void atomicPromoted() throws Exception {
        String path = ROOT + "/atomic-promoted";
        int rounds = 8;
        List<Future<Boolean>> all = new ArrayList<>();
        for (CuratorFramework client : Arrays.asList(a, b, c)) {
            all.add(apart(() -> {
                DistributedAtomicInteger value = new DistributedAtomicInteger(client, path, new RetryNTimes(1, 0),
                        PromotedToLock.builder().lockPath(path + "-lock").retryPolicy(new RetryNTimes(50, 1)).build());
                boolean ok = true;
                for (int i = 0; i < rounds; i++) {
                    ok = value.add(2).succeeded() && ok;
                }
                return ok;
            }));
        }
        for (Future<Boolean> each : all) {
            want(result(each), "not added");
        }
        DistributedAtomicInteger value = new DistributedAtomicInteger(a, path, new RetryNTimes(1, 0));
        wantEqual(value.get().postValue(), 3 * 2 * rounds, "count");
    }
}
