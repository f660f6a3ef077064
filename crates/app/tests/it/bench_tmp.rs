//! tmp
use futures_util::future::join_all;
use crate::world::{World, noon};
#[tokio::test(flavor = "multi_thread")]
async fn bench_create() {
    let world = World::create().await;
    let actor = world.actor(world.asha);
    let stores: Vec<_> = (0..3).map(|_| { let mut s = world.db.settings("web"); s.wait_timeout_ms = 60_000; store::Store::new(&s, "b").unwrap() }).collect();
    for store in &stores { for _ in 0..1 { join_all((0..8).map(|_| app::site::list(store, &actor))).await; } }
    for concurrency in [1usize, 8, 24] {
        let began = std::time::Instant::now();
        let mut failed = 0;
        let per = 240 / concurrency;
        let tasks = (0..concurrency).map(|n| {
            let (store, actor) = (stores[n % 3].clone(), actor.clone());
            let drafts: Vec<_> = (0..per).map(|i| world.draft(&format!("x{n} {i}"))).collect();
            async move {
                let mut failed = 0;
                for draft in drafts { if app::ticket::create(&store, &actor, &draft, noon()).await.is_err() { failed += 1; } }
                failed
            }
        });
        failed += join_all(tasks).await.into_iter().sum::<i32>();
        println!("concurrency {concurrency}: {:?} for 240, failed {failed}", began.elapsed());
    }
}
