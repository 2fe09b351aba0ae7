/** The contract of test/clients/README.md for programs in Java: writers, their lines on stdout, the end when stdin ends. */
import java.util.function.BiConsumer;
import java.util.regex.Pattern;

final class Writers {
  static final String HOST = System.getenv("REDIS_HOST");
  static final int PORT = Integer.parseInt(System.getenv("REDIS_PORT"));
  static final String PASSWORD = System.getenv("REDIS_PASSWORD");
  static final boolean RECOMMENDED = "recommended".equals(System.getenv("CONFIG"));

  private static final double START_MS = System.currentTimeMillis() - System.nanoTime() / 1e6;
  private static final Pattern KIND = Pattern.compile("^[A-Z]{4,}(?= )");
  private static volatile boolean stopped = false;

  private static double now() {
    return START_MS + System.nanoTime() / 1e6;
  }

  static synchronized void say(String line) {
    System.out.println(line);
    System.out.flush();
  }

  /** Calls `set` in WRITERS threads until stdin ends; then the process ends, whether calls hang or not. */
  static void write(BiConsumer<String, String> set) throws Exception {
    int writers = Integer.parseInt(System.getenv("WRITERS"));
    for (int writer = 0; writer < writers; writer++) {
      int own = writer;
      Thread thread = new Thread(() -> loop(own, set));
      thread.setDaemon(true);
      thread.start();
    }
    say("{\"ready\":true}");
    System.in.transferTo(java.io.OutputStream.nullOutputStream());
    stopped = true;
    Thread.sleep(500);
    Runtime.getRuntime().halt(0);
  }

  private static void loop(int writer, BiConsumer<String, String> set) {
    long pause = Long.parseLong(System.getenv("PAUSE_MS"));
    for (int number = 1; !stopped; number++) {
      String key = "c:" + System.getenv("RUN") + ":" + writer + ":" + number;
      double from = now();
      try {
        set.accept(key, String.valueOf(number));
        say(String.format("{\"ack\":\"%s\",\"writer\":%d,\"from\":%.3f,\"to\":%.3f}", key, writer, from, now()));
      } catch (Throwable error) {
        String text = String.valueOf(error.getMessage());
        var kind = KIND.matcher(text);
        say(
            String.format(
                "{\"error\":\"%s\",\"text\":\"%s\",\"writer\":%d,\"from\":%.3f,\"to\":%.3f}",
                kind.find() ? kind.group() : error.getClass().getSimpleName(), escape(text), writer, from, now()));
      }
      try {
        Thread.sleep(pause);
      } catch (InterruptedException interrupted) {
        return;
      }
    }
  }

  private static String escape(String text) {
    return text.replace("\\", "\\\\").replace("\"", "\\\"").replaceAll("\\p{Cntrl}", " ");
  }
}
