//! A Redis of a test's own.

use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use redis::{Connection, Script};

use super::leases::Asked;
use super::script::{Ask, Reply, Seen, TEXT, budget_key, command, store_key, touch};

/// A server on a port of the loopback interface with a directory of its own; killed when it is dropped.
pub(crate) struct Server {
    pub(crate) port: u16,
    dir: tempfile::TempDir,
    options: Vec<String>,
    child: Option<Child>,
}

impl Server {
    /// A server that keeps what it is told to save.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// A server with more options; `{port}` and `{dir}` in them are replaced by its own.
    pub(crate) fn start_with(options: &[&str]) -> Self {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let dir = tempfile::tempdir().unwrap();
        let place = |option: &&str| {
            option
                .replace("{port}", &port.to_string())
                .replace("{dir}", &dir.path().display().to_string())
        };
        let mut options: Vec<String> = options.iter().map(place).collect();
        if !options.iter().any(|option| option == "--port") {
            options.extend(["--port".to_owned(), port.to_string()]);
        }
        let mut server = Self {
            port,
            dir,
            options,
            child: None,
        };
        server.run();
        server
    }

    pub(crate) fn run(&mut self) {
        let child = Command::new("redis-server")
            .args([
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--daemonize",
                "no",
                "--logfile",
                "",
            ])
            .arg("--dir")
            .arg(self.dir.path())
            .args(&self.options)
            .stdout(Stdio::null())
            .spawn()
            .expect("no redis-server; on Debian: apt-get install redis-server");
        self.child = Some(child);
        let deadline = Instant::now() + Duration::from_secs(20);
        while std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            let ended = self.child.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "redis-server ended: {ended:?}");
            assert!(
                Instant::now() < deadline,
                "redis-server does not listen on {}",
                self.port
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    pub(crate) fn connect(&self) -> Connection {
        redis::Client::open(self.url()).unwrap().get_connection().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The script on a clock and a run id that the test sets.
pub(crate) struct Store {
    connection: Connection,
    script: Script,
    pub(crate) now_ms: u64,
    run: u64,
}

const CLOCK: &str = "test:clock";

impl Store {
    pub(crate) fn new(server: &Server, now_ms: u64) -> Self {
        let text = faked();
        let mut store = Self {
            connection: server.connect(),
            script: Script::new(&text),
            now_ms,
            run: 0xabc,
        };
        let _: String = redis::cmd("SCRIPT")
            .arg("LOAD")
            .arg(&text)
            .query(&mut store.connection)
            .unwrap();
        store.set();
        store
    }

    fn set(&mut self) {
        let (s, us) = (self.now_ms / 1_000, self.now_ms % 1_000 * 1_000);
        let run = format!("run_id:{:x}", self.run);
        let set = redis::cmd("HSET")
            .arg(CLOCK)
            .arg(&[("s", s.to_string()), ("us", us.to_string()), ("run", run)])
            .query::<()>(&mut self.connection);
        set.unwrap();
    }

    pub(crate) fn sleep(&mut self, ms: u64) {
        self.step_to(self.now_ms + ms);
    }

    pub(crate) fn step_to(&mut self, now_ms: u64) {
        self.now_ms = now_ms;
        self.set();
    }

    /// As after a restart: another run, the same data.
    pub(crate) fn restart(&mut self) {
        self.run += 1;
        self.set();
    }

    /// As after a restart without any data.
    pub(crate) fn restart_empty(&mut self) {
        self.query::<()>(&redis::cmd("FLUSHALL"));
        self.restart();
    }

    pub(crate) fn query<T: redis::FromRedisValue>(&mut self, command: &redis::Cmd) -> T {
        command.query(&mut self.connection).unwrap()
    }

    /// All data but the clock, to be put back later.
    pub(crate) fn save(&mut self) -> Vec<(String, Vec<u8>)> {
        let keys: Vec<String> = self.query(redis::cmd("KEYS").arg("weir:*"));
        keys.into_iter()
            .map(|key| {
                let dumped = self.query(redis::cmd("DUMP").arg(&key));
                (key, dumped)
            })
            .collect()
    }

    pub(crate) fn put_back(&mut self, saved: &[(String, Vec<u8>)]) {
        self.query::<()>(&redis::cmd("FLUSHALL"));
        self.set();
        for (key, dumped) in saved {
            self.query::<()>(redis::cmd("RESTORE").arg(key).arg(0).arg(dumped));
        }
    }

    /// What a node's syncer sends.
    pub(crate) fn exchange(&mut self, node: &str, seen: &Seen, asks: &[Asked]) -> Vec<Reply> {
        let store = store_key("test");
        asks.iter()
            .map(|asked| {
                let budget = budget_key("test", asked.unit.name(), &asked.key);
                let command = command(&self.script, [&store, &budget], node, seen, &asked.ask);
                self.query(&command)
            })
            .collect()
    }

    pub(crate) fn touch(&mut self, node: &str, seen: &Seen, ttl_ms: u64) -> Reply {
        let command = touch(&self.script, &store_key("test"), node, seen, ttl_ms);
        self.query(&command)
    }

    pub(crate) fn sync(&mut self, node: &str, seen: &mut Seen, ask: &Ask) -> Reply {
        let (store, budget) = (store_key("test"), budget_key("test", "tokens", "a"));
        let command = command(&self.script, [&store, &budget], node, seen, ask);
        let reply: Reply = self.query(&command);
        seen.note(&reply);
        reply
    }
}

/// The script with its clock and its run id from a key.
fn faked() -> String {
    let text = TEXT
        .replace(
            "redis.call('TIME')",
            "redis.call('HMGET', 'test:clock', 's', 'us')",
        )
        .replace(
            "redis.call('INFO', 'server')",
            "redis.call('HGET', 'test:clock', 'run')",
        );
    assert_eq!(text.matches("test:clock").count(), 2);
    text
}
