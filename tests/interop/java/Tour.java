import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.ZooKeeper;

/**
 * A program that goes through checks. It says "check" with the name of each and, where it failed,
 * why, and "done" at its end. For what only the test can do (cutting the connection, changing znodes meanwhile) it says
 * "ask" and reads a line.
 */
abstract class Tour {
    static final int PATIENCE_S = 20;

    private static final BufferedReader INPUT =
            new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    private static List<String> chosen = Collections.emptyList();

    private final Map<String, Check> checks = new LinkedHashMap<>();

    interface Check {
        void run() throws Exception;
    }

    interface Condition {
        boolean holds() throws Exception;
    }

    /** Of what is added from now on only these checks, if any, are run; for those who look for a fault. */
    static void choose(List<String> names) {
        chosen = names;
    }

    void add(String name, Check check) {
        if (chosen.isEmpty() || chosen.contains(name)) {
            checks.put(name, check);
        }
    }

    void runChecks() {
        checks.forEach(this::runCheck);
    }

    /** Several at a time: most of them wait most of the time. */
    void runChecks(int atOnce) throws InterruptedException {
        ExecutorService threads = Executors.newFixedThreadPool(atOnce);
        checks.forEach((name, check) -> threads.execute(() -> runCheck(name, check)));
        threads.shutdown();
        threads.awaitTermination(Long.MAX_VALUE, TimeUnit.NANOSECONDS);
    }

    static void sayDone() {
        Line.of("done").say();
    }

    private void runCheck(String name, Check check) {
        long begun = System.nanoTime();
        Line line = Line.of("check").with("name", name);
        try {
            check.run();
            afterCheck();
            line.with("ok", true);
        } catch (Exception | AssertionError e) {
            afterFailure();
            line.with("ok", false).with("why", e + " at " + where(e));
        }
        line.with("ms", (System.nanoTime() - begun) / 1_000_000).say();
    }

    /** What has to hold after each check. */
    void afterCheck() throws Exception {
    }

    /** Clears up, for the next check. */
    void afterFailure() {
    }

    /** The line of the check, not of what helps it. */
    private static String where(Throwable e) {
        for (StackTraceElement at : e.getStackTrace()) {
            String name = at.getClassName();
            if (name.indexOf('.') < 0 && !name.equals("Tour") && !name.equals("Events")
                    && !at.getMethodName().startsWith("want")) {
                return at.toString();
            }
        }
        return "?";
    }

    static void ask(String what, Map<String, String> more) throws IOException {
        Line.of("ask").with("what", what).with("more", more).say();
        want(INPUT.readLine() != null, "no answer");
    }

    static void want(boolean ok, String otherwise) {
        if (!ok) {
            throw new AssertionError(otherwise);
        }
    }

    static void wantEqual(Object got, Object wanted, String what) {
        want(wanted.equals(got), what + ": got " + got + ", want " + wanted);
    }

    static void wantCode(Code code, Check check) throws Exception {
        try {
            check.run();
        } catch (KeeperException e) {
            want(e.code() == code, "got " + e.code() + ", want " + code);
            return;
        }
        throw new AssertionError("no error, want " + code);
    }

    /** Waits until the condition holds. */
    static void wantSoon(String what, Condition condition) throws Exception {
        for (long end = System.nanoTime() + PATIENCE_S * 1_000_000_000L; !condition.holds(); Thread.sleep(5)) {
            want(System.nanoTime() < end, "never: " + what);
        }
    }

    static void wantConnected(ZooKeeper zk) throws Exception {
        wantSoon("connected", () -> {
            try {
                return zk.exists("/", false) != null;
            } catch (KeeperException.ConnectionLossException e) {
                return false;
            }
        });
    }

    static byte[] bytes(String s) {
        return s.getBytes(StandardCharsets.UTF_8);
    }

    static String text(byte[] data) {
        return new String(data, StandardCharsets.UTF_8);
    }
}
