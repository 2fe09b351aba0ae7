import io.lettuce.core.ClientOptions;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import io.lettuce.core.SocketOptions;
import io.lettuce.core.event.connection.ConnectionActivatedEvent;
import io.lettuce.core.resource.ClientResources;
import io.lettuce.core.resource.Delay;
import java.time.Duration;
import java.util.concurrent.TimeUnit;

/** Writers with Lettuce: one connection shared by threads. */
final class Main {
  public static void main(String[] args) throws Exception {
    var address = RedisURI.builder().withHost(Writers.HOST).withPort(Writers.PORT);
    if (Writers.PASSWORD != null && !Writers.PASSWORD.isEmpty()) address.withPassword(Writers.PASSWORD.toCharArray());
    var uri = address.build();
    var client = Writers.RECOMMENDED ? recommended(uri) : RedisClient.create(uri);
    client.getResources().eventBus().get().ofType(ConnectionActivatedEvent.class).subscribe(event -> Writers.say("{\"connected\":true}"));
    var commands = client.connect().sync();
    Writers.write(commands::set);
  }

  private static RedisClient recommended(RedisURI uri) {
    // docs:begin
    // a command fails after this time; the default is 60 s
    uri.setTimeout(Duration.ofSeconds(2));
    // attempts to reconnect, 200 ms apart at most; the default goes up to 30 s
    var resources = ClientResources.builder()
        .reconnectDelay(Delay.exponential(Duration.ofMillis(10), Duration.ofMillis(200), 2, TimeUnit.MILLISECONDS))
        .build();
    var client = RedisClient.create(resources, uri);
    // A command that timed out leaves the connection open. What is sent and not acknowledged by the other machine within 2 s closes it.
    // Needs netty-transport-native-epoll (or io_uring) on the class path; without it the setting is ignored.
    var socket = SocketOptions.builder()
        .connectTimeout(Duration.ofSeconds(2))
        .tcpUserTimeout(SocketOptions.TcpUserTimeoutOptions.builder().enable().tcpUserTimeout(Duration.ofSeconds(2)).build())
        .build();
    client.setOptions(ClientOptions.builder().socketOptions(socket).build());
    return client;
    // docs:end
  }
}
