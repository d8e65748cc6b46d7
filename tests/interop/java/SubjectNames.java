import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Prints, for each certificate of a directory in the order of file names, the name that ZooKeeper's x509 scheme
 * would give its owner: "file TAB X500Principal.getName() in hexadecimal UTF-8", or "refused" for one that Java
 * does not read.
 */
public class SubjectNames {
    public static void main(String[] args) throws Exception {
        CertificateFactory factory = CertificateFactory.getInstance("X.509");
        List<Path> files;
        try (Stream<Path> list = Files.list(Paths.get(args[0]))) {
            files = list.sorted().collect(Collectors.toList());
        }
        StringBuilder out = new StringBuilder();
        for (Path file : files) {
            out.append(file.getFileName()).append('\t').append(name(factory, file)).append('\n');
        }
        System.out.print(out);
    }

    private static String name(CertificateFactory factory, Path file) throws Exception {
        try (InputStream in = Files.newInputStream(file)) {
            X509Certificate cert = (X509Certificate) factory.generateCertificate(in);
            StringBuilder hex = new StringBuilder();
            for (byte b : cert.getSubjectX500Principal().getName().getBytes(StandardCharsets.UTF_8)) {
                hex.append(String.format("%02x", b));
            }
            return hex.toString();
        } catch (CertificateException e) {
            return "refused";
        }
    }
}
