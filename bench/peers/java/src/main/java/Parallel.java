import io.confluent.parallelconsumer.ParallelConsumerOptions;
import io.confluent.parallelconsumer.ParallelConsumerOptions.CommitMode;
import io.confluent.parallelconsumer.ParallelConsumerOptions.ProcessingOrder;
import io.confluent.parallelconsumer.ParallelStreamProcessor;
import java.util.List;
import org.apache.kafka.clients.consumer.KafkaConsumer;

/** Confluent's Parallel Consumer, in order of keys: `orders` takes 5 ms for each, `latency` notes when it came. */
public final class Parallel {
    public static void main(String[] arguments) throws Exception {
        boolean works = arguments[0].equals("orders");
        var judge = new Judge();
        var properties = Judge.consumer();
        properties.put("group.id", Judge.setting("GROUP"));
        properties.put("enable.auto.commit", "false");
        properties.put("key.deserializer", "org.apache.kafka.common.serialization.ByteArrayDeserializer");
        properties.put("value.deserializer", "org.apache.kafka.common.serialization.ByteArrayDeserializer");
        var options = ParallelConsumerOptions.<byte[], byte[]>builder()
                .consumer(new KafkaConsumer<byte[], byte[]>(properties))
                .ordering(ProcessingOrder.KEY)
                .commitMode(CommitMode.PERIODIC_CONSUMER_ASYNCHRONOUS)
                // Its own check looks into a consumer of before Kafka 3.7.
                .ignoreReflectiveAccessExceptionsForAutoCommitDisabledCheck(true)
                .maxConcurrency(Integer.parseInt(Judge.setting("CONCURRENCY")))
                .build();
        ParallelStreamProcessor<byte[], byte[]> processor = ParallelStreamProcessor.createEosStreamProcessor(options);
        processor.subscribe(List.of(Judge.setting("TOPIC")));
        processor.poll(context -> {
            long begun = System.nanoTime();
            var order = Judge.Order.of(context.value());
            if (works) {
                sleep();
            }
            judge.done(order, works ? begun : order.at());
        });
        Judge.untilStopped(processor::closeDrainFirst);
    }

    private static void sleep() {
        try {
            Thread.sleep(5);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }
}
