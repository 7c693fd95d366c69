import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteOrder;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;

/** What the Java programs of bench/run share: the logbook by which they are judged (bench/logbook.hpp), and the events. */
final class Judge {
    private static final int HEAD = 8, ENTRY = 24;
    static final ObjectMapper JSON = new ObjectMapper();

    private final AtomicInteger done = new AtomicInteger();
    private final MappedByteBuffer book;

    Judge() throws IOException {
        try (var file = new RandomAccessFile(setting("LOGBOOK"), "rw")) {
            book = file.getChannel().map(FileChannel.MapMode.READ_WRITE, 0, file.length());
            book.order(ByteOrder.nativeOrder());
        }
    }

    /** Of one thread. */
    void count() {
        book.putLong(0, done.incrementAndGet());
    }

    void done(Order order, long begun) {
        int at = HEAD + done.getAndIncrement() * ENTRY;
        if (at + ENTRY <= book.capacity()) {
            book.putInt(at, order.key).putInt(at + 4, order.sequence).putLong(at + 8, begun).putLong(at + 16, System.nanoTime());
        }
        synchronized (this) {
            book.putLong(0, done.get());
        }
    }

    /** CLOCK_MONOTONIC is what System.nanoTime() reads on Linux. */
    record Order(int key, int sequence, long at) {
        static Order of(byte[] value) {
            try {
                JsonNode json = JSON.readTree(value);
                return new Order(json.get("key").asInt(), json.get("seq").asInt(), json.get("at").asLong());
            } catch (IOException e) {
                throw new IllegalArgumentException(e);
            }
        }
    }

    static Properties consumer() {
        var properties = new Properties();
        properties.put("bootstrap.servers", setting("KAFKA_BROKERS"));
        properties.put("auto.offset.reset", "earliest");
        properties.put("session.timeout.ms", "6000");
        properties.put("heartbeat.interval.ms", "2000");
        return properties;
    }

    static String setting(String name) {
        String value = System.getenv(name);
        if (value == null) {
            throw new IllegalStateException("no " + name + " in the environment");
        }
        return value;
    }

    /** Runs `end` on SIGTERM; the process ends when it has returned. */
    static void untilStopped(Runnable end) throws InterruptedException {
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            end.run();
            Runtime.getRuntime().halt(0);
        }));
        new CountDownLatch(1).await();
    }
}
