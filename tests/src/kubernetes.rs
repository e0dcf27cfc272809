//! A stand-in for the Kubernetes API server: the pods of a cluster as `GET /api/v1/pods` lists and watches them, over TLS
//! and for one bearer token. What a real one does to its clients a test can have it do: forget its history (410 Gone),
//! cut watches, refuse connections, forbid.

mod answer;
mod pod;
mod store;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use anyhow::{Context, Result};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

pub(crate) use pod::PodSpec;

use crate::lab::Lab;
use store::Store;

/// The node whose pods the agent asks for.
pub(crate) const NODE: &str = "worker-1";

/// What the agent has to show.
const TOKEN: &str = "eyJhbGciOiJub25lIn0.lab-service-account-token.";

/// A running API server. It ends when it is dropped.
#[derive(Debug)]
pub(crate) struct ApiServer {
    shared: Arc<Shared>,
    address: String,
    ca_file: PathBuf,
    token_file: PathBuf,
    accepting: JoinHandle<()>,
}

/// What its connections share.
#[derive(Debug)]
struct Shared {
    store: Mutex<Store>,
    /// The store's version, for watches that wait.
    version: watch::Sender<u64>,
    /// How often all watches were cut.
    cuts: watch::Sender<u64>,
    refusing: AtomicBool,
    forbidding: AtomicBool,
    lists: AtomicUsize,
    watches: AtomicUsize,
    gone: AtomicUsize,
}

impl ApiServer {
    /// Starts one on a loopback address of the lab's own, at port 443, as in a cluster. Its CA is its own too.
    pub(crate) async fn start(lab: &Lab) -> Result<Self> {
        let ip = lab.plan.api_server();
        let dir = lab.dir().join("kubernetes");
        fs::create_dir_all(&dir)?;
        let (ca_pem, tls) = certificate(&ip.to_string())?;
        let (ca_file, token_file) = (dir.join("ca.crt"), dir.join("token"));
        fs::write(&ca_file, ca_pem)?;
        fs::write(&token_file, format!("{TOKEN}\n"))?;
        let shared = Arc::new(Shared {
            store: Mutex::default(),
            version: watch::Sender::new(0),
            cuts: watch::Sender::new(0),
            refusing: AtomicBool::new(false),
            forbidding: AtomicBool::new(false),
            lists: AtomicUsize::new(0),
            watches: AtomicUsize::new(0),
            gone: AtomicUsize::new(0),
        });
        let listener = TcpListener::bind((ip, 443))
            .await
            .with_context(|| format!("binding {ip}:443"))?;
        let accepting = tokio::spawn(accept(shared.clone(), listener, TlsAcceptor::from(Arc::new(tls))));
        Ok(Self {
            shared,
            address: format!("https://{ip}:443"),
            ca_file,
            token_file,
            accepting,
        })
    }

    /// The `kubernetes` key of the agent's `identity`.
    pub(crate) fn key(&self) -> String {
        format!(
            "kubernetes: {{node: {NODE}, api: \"{}\", token_file: {}, ca_file: {}}}",
            self.address,
            self.token_file.display(),
            self.ca_file.display()
        )
    }

    /// Adds a pod, or replaces the one with its uid.
    pub(crate) fn put(&self, pod: &PodSpec) {
        let version = self.shared.store.lock().put(&pod.uid, pod.object());
        self.shared.version.send_replace(version);
    }

    /// Deletes a pod.
    pub(crate) fn delete(&self, pod: &PodSpec) {
        let version = self.shared.store.lock().delete(&pod.uid);
        self.shared.version.send_replace(version);
    }

    /// Forgets how the pods came to be what they are: a watch from an earlier version gets 410 Gone.
    pub(crate) fn compact(&self) {
        self.shared.store.lock().compact();
    }

    /// Cuts all watches in the middle of a chunk.
    pub(crate) fn cut(&self) {
        self.shared.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Closes each connection at once from now on, or no longer. Open watches are cut.
    pub(crate) fn refuse(&self, refusing: bool) {
        self.shared.refusing.store(refusing, Ordering::SeqCst);
        self.cut();
    }

    /// Answers 403 from now on, or no longer. Open watches are cut.
    pub(crate) fn forbid(&self, forbidding: bool) {
        self.shared.forbidding.store(forbidding, Ordering::SeqCst);
        self.cut();
    }

    /// Lists, watches and 410s so far.
    pub(crate) fn served(&self) -> (usize, usize, usize) {
        let read = |count: &AtomicUsize| count.load(Ordering::SeqCst);
        let shared = &self.shared;
        (read(&shared.lists), read(&shared.watches), read(&shared.gone))
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

async fn accept(shared: Arc<Shared>, listener: TcpListener, acceptor: TlsAcceptor) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            continue;
        };
        if shared.refusing.load(Ordering::SeqCst) {
            continue;
        }
        let (shared, acceptor) = (shared.clone(), acceptor.clone());
        tokio::spawn(async move {
            let Ok(tls) = acceptor.accept(stream).await else {
                return;
            };
            let service = service_fn(|request| answer::answer(shared.clone(), request));
            // A watch that is cut ends with an error, as it should.
            let _ended = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(tls), service)
                .await;
        });
    }
}

/// A CA as PEM, and a server with a leaf of it for `name`.
fn certificate(name: &str) -> Result<(String, ServerConfig)> {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate()?;
    let ca = authority.self_signed(&key)?;
    let issuer = Issuer::new(authority, key);
    let leaf_key = KeyPair::generate()?;
    let leaf = CertificateParams::new(vec![name.to_owned()])?.signed_by(&leaf_key, &issuer)?;
    let private =
        PrivateKeyDer::try_from(leaf_key.serialize_der()).map_err(|error| anyhow::anyhow!(error))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], private)?;
    Ok((ca.pem(), config))
}
