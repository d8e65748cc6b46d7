import java.io.IOException;
import java.util.Arrays;
import java.util.Collection;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.curator.x.discovery.DownInstancePolicy;
import org.apache.curator.x.discovery.ServiceCache;
import org.apache.curator.x.discovery.ServiceDiscovery;
import org.apache.curator.x.discovery.ServiceDiscoveryBuilder;
import org.apache.curator.x.discovery.ServiceInstance;
import org.apache.curator.x.discovery.ServiceProvider;
import org.apache.curator.x.discovery.UriSpec;
import org.apache.curator.x.discovery.details.JsonInstanceSerializer;
import org.apache.curator.x.discovery.details.ServiceCacheListener;
import org.apache.curator.x.discovery.strategies.RoundRobinStrategy;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.Stat;

/** Curator's service discovery: who offers a service, as its consumers see it. */
final class CuratorDiscovery extends CuratorTour {
    private static final String BASE = ROOT + "/discovery";
    private static final String OWN_BASE = ROOT + "/discovery-plain";
    private static final int SHORT_MS = 2000;

    CuratorDiscovery() {
        add("discovery", this::discovery);
        add("discovery_provider", this::provider);
        add("discovery_cache", this::cache);
        add("discovery_session_killed", this::sessionKilled);
        add("discovery_provider_died", this::providerDied);
    }

    private static ServiceDiscovery<String> discovery(CuratorFramework client, String base) throws Exception {
        ServiceDiscovery<String> made = ServiceDiscoveryBuilder.builder(String.class).client(client).basePath(base)
                .serializer(new JsonInstanceSerializer<>(String.class)).watchInstances(true).build();
        made.start();
        return made;
    }

    private static ServiceInstance<String> instance(String service, String id, String payload) throws Exception {
        return ServiceInstance.<String>builder().name(service).id(id).address("10.0.0.1").port(8080).payload(payload)
                .uriSpec(new UriSpec("{scheme}://{address}:{port}")).build();
    }

    private static Set<String> ids(Collection<ServiceInstance<String>> instances) {
        Set<String> out = new TreeSet<>();
        instances.forEach(each -> out.add(each.getId() + "=" + each.getPayload()));
        return out;
    }

    private static Set<String> setOf(String... names) {
        return new TreeSet<>(Arrays.asList(names));
    }

    private void discovery() throws Exception {
        ServiceDiscovery<String> provider = discovery(a, OWN_BASE);
        ServiceDiscovery<String> consumer = discovery(b, OWN_BASE);
        ServiceInstance<String> one = instance("plain", "one", "1");
        provider.registerService(one);
        provider.registerService(instance("plain", "two", "2"));
        provider.registerService(instance("other", "x", "3"));
        wantEqual(new TreeSet<>(consumer.queryForNames()), setOf("other", "plain"), "services");
        wantEqual(ids(consumer.queryForInstances("plain")), setOf("one=1", "two=2"), "instances");
        ServiceInstance<String> found = consumer.queryForInstance("plain", "one");
        want(found.equals(one) && found.getPort() == 8080 && found.buildUriSpec().equals("http://10.0.0.1:8080"),
                "found " + found);
        wantEqual(b.checkExists().forPath(OWN_BASE + "/plain/one").getEphemeralOwner(), session(a), "owner");
        provider.unregisterService(one);
        want(consumer.queryForInstance("plain", "one") == null, "still registered");
        provider.close();
        wantEqual(ids(consumer.queryForInstances("plain")), setOf(), "after the provider's end");
        wantSoon("no service left", () -> b.checkExists().forPath(OWN_BASE + "/plain") == null); // a container
        wantEqual(ids(consumer.queryForInstances("plain")), setOf(), "of a service that is gone");
        consumer.close();
    }

    private void provider() throws Exception {
        ServiceDiscovery<String> registrar = discovery(a, BASE);
        ServiceDiscovery<String> consumer = discovery(b, BASE);
        registrar.registerService(instance("chosen", "one", "1"));
        registrar.registerService(instance("chosen", "two", "2"));
        ServiceProvider<String> provider = consumer.serviceProviderBuilder().serviceName("chosen")
                .providerStrategy(new RoundRobinStrategy<>())
                .downInstancePolicy(new DownInstancePolicy(1, TimeUnit.HOURS, 1)).build();
        provider.start();
        wantEqual(ids(provider.getAllInstances()), setOf("one=1", "two=2"), "instances");
        ServiceInstance<String> first = provider.getInstance();
        ServiceInstance<String> second = provider.getInstance();
        want(!first.equals(second) && first.equals(provider.getInstance()), "not one after the other");
        provider.noteError(first);
        want(second.equals(provider.getInstance()) && second.equals(provider.getInstance()), "chosen though down");
        registrar.unregisterService(second);
        wantSoon("none is left", () -> provider.getInstance() == null);
        provider.close();
        consumer.close();
        registrar.close();
    }

    /** A consumer's cache, and the lists that its listener was told. */
    private static final class Seen implements ServiceCacheListener {
        final BlockingQueue<Set<String>> lists = new LinkedBlockingQueue<>();
        final ServiceCache<String> cache;

        Seen(ServiceDiscovery<String> discovery, String service) throws Exception {
            cache = discovery.serviceCacheBuilder().name(service).build();
            cache.addListener(this);
            cache.start();
        }

        @Override
        public void cacheChanged() {
            lists.add(ids(cache.getInstances()));
        }

        @Override
        public void stateChanged(CuratorFramework client, ConnectionState state) {
        }

        /** Told the list at last; others may come before it. */
        void await(String... instances) throws InterruptedException {
            Set<String> wanted = setOf(instances);
            while (!next(lists, "the list " + wanted).equals(wanted)) {
            }
        }

        void close() throws IOException {
            cache.close();
        }
    }

    private void cache() throws Exception {
        ServiceDiscovery<String> first = discovery(a, BASE);
        ServiceDiscovery<String> second = discovery(c, BASE);
        ServiceDiscovery<String> consumer = discovery(b, BASE);
        first.registerService(instance("cached", "one", "1"));
        Seen seen = new Seen(consumer, "cached");
        wantEqual(ids(seen.cache.getInstances()), setOf("one=1"), "at the start");
        second.registerService(instance("cached", "two", "2"));
        seen.await("one=1", "two=2");
        first.updateService(instance("cached", "one", "11"));
        seen.await("one=11", "two=2");
        first.unregisterService(instance("cached", "one", "11"));
        seen.await("two=2");
        second.close();
        seen.await();
        first.registerService(instance("cached", "three", "3"));
        seen.await("three=3");
        seen.close();
        consumer.close();
        first.close();
    }

    /** A provider whose session ends behind its back registers again. */
    private void sessionKilled() throws Exception {
        CuratorFramework client = connect();
        ServiceDiscovery<String> provider = discovery(client, BASE);
        provider.registerService(instance("killed", "one", "1"));
        ServiceDiscovery<String> consumer = discovery(b, BASE);
        Seen seen = new Seen(consumer, "killed");
        long before = session(client);
        killSession(client);
        seen.await();
        seen.await("one=1");
        long owner = b.checkExists().forPath(BASE + "/killed/one").getEphemeralOwner();
        want(owner != before && owner == session(client), "owner");
        seen.close();
        consumer.close();
        provider.close();
        client.close();
    }

    /** One that dies without a word is gone when its session expires. */
    private void providerDied() throws Exception {
        BlockingQueue<Mortal> clients = new LinkedBlockingQueue<>();
        CuratorFramework client = start(builder().sessionTimeoutMs(SHORT_MS).zookeeperFactory(
                (String server, int timeoutMs, Watcher w, boolean readOnly) -> {
                    Mortal made = new Mortal(server, timeoutMs, w);
                    clients.add(made);
                    return (ZooKeeper) made;
                }));
        ServiceDiscovery<String> provider = discovery(client, BASE);
        provider.registerService(instance("died", "one", "1"));
        ServiceDiscovery<String> consumer = discovery(b, BASE);
        Seen seen = new Seen(consumer, "died");
        long owner = session(client);
        next(clients, "a client").die();
        wantEqual(ids(consumer.queryForInstances("died")), setOf("one=1"), "gone with the connection");
        seen.await();
        // Curator 5.9 may have noticed, and have registered anew.
        Stat left = b.checkExists().forPath(BASE + "/died/one");
        want(left == null || left.getEphemeralOwner() != owner, "an instance of a session that is gone");
        seen.close();
        consumer.close();
        client.close();
    }
}
