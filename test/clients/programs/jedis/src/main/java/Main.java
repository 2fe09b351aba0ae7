import java.time.Duration;
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.RedisClient;
import redis.clients.jedis.executors.RetryableCommandExecutor;
import redis.clients.jedis.providers.PooledConnectionProvider;

/** Writers with Jedis: one client, its pool shared by threads. */
final class Main {
  public static void main(String[] args) throws Exception {
    var target = new HostAndPort(Writers.HOST, Writers.PORT);
    var config = DefaultJedisClientConfig.builder().password(Writers.PASSWORD);
    var client = Writers.RECOMMENDED ? recommended(target, config) : RedisClient.builder().hostAndPort(target).clientConfig(config.build()).build();
    Writers.write(client::set);
  }

  private static RedisClient recommended(HostAndPort target, DefaultJedisClientConfig.Builder builder) {
    // docs:begin
    var config = builder.connectionTimeoutMillis(1000).socketTimeoutMillis(2000).build();
    var provider = new PooledConnectionProvider(target, config);
    // Without this every broken connection of the pool costs the application one exception. Up to 20 attempts within 10 s.
    var retrying = new RetryableCommandExecutor(provider, 20, Duration.ofSeconds(10));
    return RedisClient.builder().hostAndPort(target).clientConfig(config).connectionProvider(provider).commandExecutor(retrying).build();
    // docs:end
  }
}
