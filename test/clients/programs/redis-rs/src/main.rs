//! Writers with redis-rs: one connection cloned for all tasks. The contract is in test/clients/README.md.
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::io::tcp::TcpSettings;
use redis::{AsyncCommands, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo, RedisResult};
use std::env::var;
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::io::AsyncReadExt;

static START: OnceLock<(Instant, f64)> = OnceLock::new();

/// ms since 1970, with fractions, never jumping back
fn now() -> f64 {
    let (start, wall) = START.get_or_init(|| (Instant::now(), SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64() * 1000.0));
    wall + start.elapsed().as_secs_f64() * 1000.0
}

fn number(name: &str) -> u64 {
    var(name).unwrap().parse().unwrap()
}

async fn recommended(info: ConnectionInfo) -> RedisResult<ConnectionManager> {
    // docs:begin
    // A manager connects again; the plain multiplexed connection never does.
    let config = ConnectionManagerConfig::new()
        .set_connection_timeout(Some(Duration::from_secs(1)))
        .set_response_timeout(Some(Duration::from_secs(2)))
        // attempts half a second apart at most, for about a minute
        .set_min_delay(Duration::from_millis(20))
        .set_max_delay(Duration::from_millis(500))
        .set_number_of_retries(120);
    // A response timeout leaves the connection open. What is sent and not acknowledged by the other machine within 2 s closes it.
    let tcp = TcpSettings::default().set_nodelay(true).set_user_timeout(Duration::from_secs(2));
    ConnectionManager::new_with_config(Client::open(info.set_tcp_settings(tcp))?, config).await
    // docs:end
}

async fn write<C: AsyncCommands>(mut connection: C, writer: u64) {
    let (run, pause) = (var("RUN").unwrap(), number("PAUSE_MS"));
    for count in 1u64.. {
        let key = format!("c:{run}:{writer}:{count}");
        let from = now();
        let result: RedisResult<()> = connection.set(&key, count).await;
        let to = now();
        match result {
            Ok(()) => println!(r#"{{"ack":"{key}","writer":{writer},"from":{from:.3},"to":{to:.3}}}"#),
            Err(error) => {
                let kind = error.code().map(str::to_owned).unwrap_or_else(|| format!("{:?}", error.kind()));
                let text = error.to_string().replace(['"', '\\', '\n', '\r'], " ");
                println!(r#"{{"error":"{kind}","text":"{text}","writer":{writer},"from":{from:.3},"to":{to:.3}}}"#);
            }
        }
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
}

#[tokio::main]
async fn main() -> RedisResult<()> {
    let mut login = RedisConnectionInfo::default();
    if let Some(password) = var("REDIS_PASSWORD").ok().filter(|text| !text.is_empty()) {
        login = login.set_password(password);
    }
    let address = ConnectionAddr::Tcp(var("REDIS_HOST").unwrap(), number("REDIS_PORT") as u16);
    let info = address.into_connection_info()?.set_redis_settings(login);
    let writers = 0..number("WRITERS");
    if var("CONFIG").unwrap() == "recommended" {
        let manager = recommended(info).await?;
        writers.for_each(|writer| drop(tokio::spawn(write(manager.clone(), writer))));
    } else {
        let connection = Client::open(info)?.get_multiplexed_async_connection().await?;
        writers.for_each(|writer| drop(tokio::spawn(write(connection.clone(), writer))));
    }
    println!(r#"{{"ready":true}}"#);
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    std::process::exit(0);
}
