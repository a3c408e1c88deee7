//! A foreign crate: a program on tokio that starts a network, attaches a guest, and ends both.
use vnet_driver::{Driver, Error, Interface, Network};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let state = std::env::args().nth(1).ok_or("give the folder of the state")?;
    let driver = Driver::open(state)?;
    let network: Network = "<network><name>lab</name><forward mode='nat'/>\
        <ip address='192.168.122.1' prefix='24'/></network>"
        .parse()?;
    let up = move || {
        let network = driver.run(&network)?;
        Ok::<_, Error>((network.attach(&Interface::network("lab"))?, network))
    };
    let (guest, network) = tokio::task::spawn_blocking(up).await??;
    println!("the guest has {} queue", guest.queues().len());
    tokio::task::spawn_blocking(move || guest.detach().and_then(|()| network.stop())).await??;
    Ok(())
}
