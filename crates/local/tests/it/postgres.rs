use local::postgres::{Cluster, Programs};

#[test]
fn a_cluster_is_made_started_and_stopped() {
    let home = std::env::temp_dir().join(format!("youtility-local-{}", std::process::id()));
    let programs = Programs::find(&[]).unwrap();
    let port = local::port::free(0).unwrap();
    let cluster = Cluster::new(programs, &home, port).unwrap().option("fsync=off");

    assert!(!cluster.exists());
    cluster.init("a password of the superuser").unwrap();
    assert!(cluster.exists());
    assert!(!cluster.is_running().unwrap());

    cluster.start().unwrap();
    assert!(cluster.is_running().unwrap());
    assert_eq!(cluster.running_port(), Some(port));
    assert!(!local::port::is_free(port));

    cluster.stop().unwrap();
    cluster.stop().unwrap();
    assert!(!cluster.is_running().unwrap());
    std::fs::remove_dir_all(&home).unwrap();
}
