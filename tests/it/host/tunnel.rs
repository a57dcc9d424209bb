//! A tunnel, as in front of a host in HTTP mode: its address stays, whatever port the host gets.

use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Ends with the stage.
#[derive(Debug)]
pub(super) struct Tunnel {
    pub(super) address: SocketAddr,
    leads_to: watch::Sender<Option<SocketAddr>>,
    _tasks: JoinSet<()>,
}

impl Tunnel {
    pub(super) async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (leads_to, target) = watch::channel(None);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((mut outside, _)) = listener.accept().await {
                let target = *target.borrow();
                open.spawn(async move {
                    // Without a host the connection is closed, as a tunnel would.
                    let Some(target) = target else { return };
                    if let Ok(mut inside) = TcpStream::connect(target).await {
                        let _ = copy_bidirectional(&mut outside, &mut inside).await;
                    }
                });
                while open.try_join_next().is_some() {}
            }
        });
        Self { address, leads_to, _tasks: tasks }
    }

    pub(super) fn leads_to(&self, host: Option<SocketAddr>) {
        self.leads_to.send_replace(host);
    }

    /// What stands in the place of `http://{listen}{path}`.
    pub(super) fn url(&self) -> String {
        format!("http://{}/dingtalk", self.address)
    }
}
