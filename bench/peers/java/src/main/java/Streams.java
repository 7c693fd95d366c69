import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import redis.clients.jedis.Jedis;

/** Kafka Streams at its defaults: counts page views in memory and adds them to Redis every second. */
public final class Streams {
    public static void main(String[] arguments) throws Exception {
        var judge = new Judge();
        var properties = Judge.consumer();
        properties.put(StreamsConfig.APPLICATION_ID_CONFIG, Judge.setting("GROUP"));
        properties.put(StreamsConfig.STATE_DIR_CONFIG, Judge.setting("FOLDER"));
        properties.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, "1000");
        properties.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.ByteArraySerde.class.getName());
        properties.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.ByteArraySerde.class.getName());
        var topology = new Topology();
        topology.addSource("events", Judge.setting("TOPIC"));
        topology.addProcessor("views", () -> new Views(judge), "events");
        var streams = new KafkaStreams(topology, properties);
        streams.start();
        Judge.untilStopped(() -> streams.close(Duration.ofSeconds(10)));
    }

    /** One for each partition. */
    private static final class Views implements Processor<byte[], byte[], Void, Void> {
        private final Judge judge;
        private final Jedis redis = new Jedis(java.net.URI.create(Judge.setting("REDIS_URL")));
        private final Map<String, Long> counts = new HashMap<>();

        Views(Judge judge) {
            this.judge = judge;
        }

        @Override
        public void init(ProcessorContext<Void, Void> context) {
            context.schedule(Duration.ofSeconds(1), PunctuationType.WALL_CLOCK_TIME, now -> flush());
        }

        @Override
        public void process(Record<byte[], byte[]> event) {
            try {
                var json = Judge.JSON.readTree(event.value());
                if (json.path("type").asText().equals("page_view")) {
                    counts.merge(json.path("payload").path("path").asText(), 1L, Long::sum);
                }
            } catch (java.io.IOException e) {
                throw new IllegalArgumentException(e);
            }
            judge.count();
        }

        @Override
        public void close() {
            flush();
            redis.close();
        }

        private void flush() {
            try (var pipeline = redis.pipelined()) {
                counts.forEach((path, n) -> pipeline.incrBy("views:" + path, n));
            }
            counts.clear();
        }
    }
}
