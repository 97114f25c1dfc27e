//! Who comes back.

use super::*;

const TOKEN: &str = "vsn=2.0.0&resume=0123456789abcdefghijkl";

fn config(grace: u64) -> lattice_presence_web::Config {
    let mut config = quick();
    config.grace = Duration::from_millis(grace);
    config.probe = Duration::from_millis(200);
    config
}

#[tokio::test]
async fn who_comes_back_with_its_token_has_the_same_dots_and_nobody_sees_anything() {
    let server = serve(config(2000)).await;
    let mut ada = server.client().await;
    ada.enter("room:1", "ada").await;
    let mut bob = server.connect(TOKEN).await;
    let before = bob.enter("room:1", "bob").await;
    ada.event("presence_diff").await;
    drop(bob);
    ada.silent(Duration::from_millis(100)).await;
    let mut bob = server.connect(TOKEN).await;
    assert_eq!(bob.enter("room:1", "bob").await, before);
    ada.silent(Duration::from_millis(100)).await;
    // Even long after the time of grace.
    ada.silent(Duration::from_millis(2500)).await;
}

#[tokio::test]
async fn who_does_not_come_back_leaves_when_the_time_is_over() {
    let server = serve(config(300)).await;
    let mut ada = server.client().await;
    ada.enter("room:1", "ada").await;
    let mut bob = server.connect(TOKEN).await;
    bob.enter("room:1", "bob").await;
    ada.event("presence_diff").await;
    drop(bob);
    ada.silent(Duration::from_millis(200)).await;
    assert_eq!(
        keys(&ada.event("presence_diff").await[4]["leaves"]),
        ["bob"]
    );
    let mut bob = server.connect(TOKEN).await;
    bob.enter("room:1", "bob").await;
    assert_eq!(keys(&ada.event("presence_diff").await[4]["joins"]), ["bob"]);
}

#[tokio::test]
async fn a_leave_needs_no_grace() {
    let server = serve(config(60_000)).await;
    let (mut ada, mut bob) = (server.client().await, server.connect(TOKEN).await);
    ada.enter("room:1", "ada").await;
    bob.enter("room:1", "bob").await;
    ada.event("presence_diff").await;
    bob.send("1", "room:1", "phx_leave", &json!({})).await;
    assert_eq!(
        keys(&ada.event("presence_diff").await[4]["leaves"]),
        ["bob"]
    );
}

#[tokio::test]
async fn what_a_client_does_not_come_back_for_leaves() {
    let server = serve(config(300)).await;
    let mut ada = server.client().await;
    ada.enter("room:1", "ada").await;
    let mut bob = server.connect(TOKEN).await;
    bob.enter("room:1", "bob").await;
    bob.join("2", "room:2", &json!({"name": "bob"})).await;
    ada.event("presence_diff").await;
    drop(bob);
    let mut bob = server.connect(TOKEN).await;
    bob.join("1", "room:2", &json!({"name": "bob"})).await;
    assert_eq!(
        keys(&ada.event("presence_diff").await[4]["leaves"]),
        ["bob"]
    );
}

#[tokio::test]
async fn a_copy_of_a_tab_gets_entries_of_its_own() {
    let server = serve(config(300)).await;
    let mut ada = server.connect(TOKEN).await;
    ada.enter("room:1", "ada").await;
    let answers = tokio::spawn(async move {
        // Answers the probe, as a browser does.
        loop {
            let _ = ada.next().await;
        }
    });
    let mut copy = server.connect(TOKEN).await;
    let state = copy.enter("room:1", "ada").await;
    assert_eq!(
        state["ada"]["metas"].as_array().unwrap().len(),
        2,
        "{state}"
    );
    answers.abort();
}

#[tokio::test]
async fn copies_of_a_tab_that_come_together_get_entries_of_their_own() {
    let mut config = config(300);
    // The socket answers late, so that all ask before it has answered one.
    config.probe = Duration::from_secs(5);
    let server = serve(config).await;
    let mut ada = server.connect(TOKEN).await;
    ada.enter("room:1", "ada").await;
    let come = async || {
        let mut copy = server.connect(TOKEN).await;
        copy.join("1", "room:1", &json!({"name": "ada"})).await;
        copy
    };
    let late = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        // Reads on, which answers the pings.
        let until = tokio::time::sleep(Duration::from_millis(1500));
        tokio::select! {
            () = until => {}
            never = async { loop { let _ = ada.next().await; } } => never,
        }
    };
    let (_, _copies) = tokio::join!(late, async { tokio::join!(come(), come(), come()) });
    let mut reader = server.client().await;
    let state = reader.enter("room:1", "eve").await;
    assert_eq!(
        state["ada"]["metas"].as_array().unwrap().len(),
        4,
        "{state}"
    );
}

#[tokio::test]
async fn a_socket_that_does_not_answer_is_taken_over() {
    let server = serve(config(60_000)).await;
    let mut dead = server.connect(TOKEN).await; // never read again: no pong
    let before = dead.enter("room:1", "ada").await;
    let mut back = server.connect(TOKEN).await;
    assert_eq!(back.enter("room:1", "ada").await, before, "the same dot");
}
