import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import javax.security.auth.x500.X500Principal;

/**
 * Prints, for each line "name in hexadecimal UTF-8 TAB anything", the name and whether X500Principal takes it, "yes"
 * or "no": what ZooKeeper's x509 scheme asks before it takes an id.
 */
public class X509Ids {
    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        StringBuilder out = new StringBuilder();
        String line = in.readLine();
        while (line != null) {
            String hex = line.split("\t", 2)[0];
            out.append(hex).append('\t').append(isValid(text(hex)) ? "yes" : "no").append('\n');
            line = in.readLine();
        }
        System.out.print(out);
    }

    private static String text(String hex) {
        byte[] bytes = new byte[hex.length() / 2];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) Integer.parseInt(hex.substring(2 * i, 2 * i + 2), 16);
        }
        return new String(bytes, StandardCharsets.UTF_8);
    }

    private static boolean isValid(String name) {
        try {
            new X500Principal(name);
            return true;
        } catch (IllegalArgumentException e) {
            return false;
        }
    }
}
