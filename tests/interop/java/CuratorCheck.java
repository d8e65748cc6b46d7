import java.util.Arrays;

/**
 * A tour through Curator: the client itself, the recipes, the caches, service discovery, and lines that are cut.
 *
 * The server has extendedTypesEnabled, and looks for containers a few times a second.
 *
 * CuratorCheck server timeoutMs [check...]
 */
public final class CuratorCheck {
    private CuratorCheck() {
    }

    public static void main(String[] args) throws Exception {
        Tour.choose(Arrays.asList(args).subList(2, args.length));
        CuratorTour.connectAll(args[0], Integer.parseInt(args[1]));
        new CuratorClient().run();
        new CuratorRecipes().run();
        new CuratorCaches().run();
        new CuratorDiscovery().run();
        new CuratorCuts().run();
        CuratorTour.closeAll();
        Tour.sayDone();
        System.exit(0); // a check that failed may have left threads behind
    }
}
