import java.util.List;
import java.util.Map;

/** One line of JSON on stdout for each thing the test shall know; t is the wall clock in milliseconds. */
final class Line {
    private final StringBuilder text;

    private Line(String event) {
        text = new StringBuilder("{\"event\":").append(quote(event)).append(",\"t\":").append(System.currentTimeMillis());
    }

    static Line of(String event) {
        return new Line(event);
    }

    Line with(String key, Object value) {
        text.append(',').append(quote(key)).append(':').append(encode(value));
        return this;
    }

    void say() {
        String line = text.append("}\n").toString();
        synchronized (Line.class) {
            System.out.print(line);
            System.out.flush();
        }
    }

    static String session(long id) {
        return "0x" + Long.toHexString(id);
    }

    private static String encode(Object value) {
        if (value == null || value instanceof Boolean || value instanceof Number) {
            return String.valueOf(value);
        }
        StringBuilder out = new StringBuilder();
        if (value instanceof List) {
            for (Object each : (List<?>) value) {
                out.append(out.length() == 0 ? "" : ",").append(encode(each));
            }
            return "[" + out + "]";
        }
        if (value instanceof Map) {
            for (Map.Entry<?, ?> each : ((Map<?, ?>) value).entrySet()) {
                out.append(out.length() == 0 ? "" : ",").append(quote(each.getKey().toString())).append(':')
                        .append(encode(each.getValue()));
            }
            return "{" + out + "}";
        }
        return quote(value.toString());
    }

    private static String quote(String s) {
        StringBuilder out = new StringBuilder("\"");
        for (char c : s.toCharArray()) {
            if (c == '"' || c == '\\') {
                out.append('\\').append(c);
            } else if (c < 0x20 || c > 0x7e) {
                out.append(String.format("\\u%04x", (int) c));
            } else {
                out.append(c);
            }
        }
        return out.append('"').toString();
    }
}
