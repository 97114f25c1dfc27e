//! The handshake: who may connect, and the upgrade to a WebSocket.

use alloc::sync::Arc;

use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::upgrade::OnUpgrade;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::calls::Connect;
use crate::channels::{Channels, TOKEN};
use crate::phoenix::Version;
use crate::seat::SeatId;
use crate::server::Server;
use crate::socket::{Guest, Socket};
use crate::stream;

const PROTOCOL: &str = "phoenix";

fn refused(status: StatusCode, reason: &str) -> Response {
    (status, reason.to_owned()).into_response()
}

pub(crate) async fn handshake<A: Channels>(
    State(server): State<Arc<Server<A>>>,
    Query(params): Query<Vec<(String, String)>>,
    mut request: Request,
) -> Response {
    let Some((accepts, upgrade)) = upgrade(&mut request) else {
        return refused(StatusCode::BAD_REQUEST, "not a WebSocket handshake");
    };
    let headers = core::mem::take(request.headers_mut());
    let speaks = lists(&headers, &header::SEC_WEBSOCKET_PROTOCOL, PROTOCOL);
    let guest = match admit(&server, params, headers).await {
        Ok(guest) => guest,
        Err((status, reason)) => return refused(status, &reason),
    };
    tokio::spawn(async move {
        if let Ok(upgraded) = upgrade.await {
            // The session refuses what is over the limit with a reason; what is far
            // over it is not even read.
            let longest = 2 * server.config.limits.message_bytes;
            let (socket, taken) = stream::open(upgraded, longest).await;
            Socket::serve(&server, guest, socket, taken).await;
        }
    });
    switch(&accepts, speaks)
}

async fn admit<A: Channels>(
    server: &Arc<Server<A>>,
    params: Vec<(String, String)>,
    headers: HeaderMap,
) -> Result<Guest<A>, (StatusCode, String)> {
    let no = |status, reason: &str| Err((status, reason.to_owned()));
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if server.is_draining() {
        return no(StatusCode::SERVICE_UNAVAILABLE, "the server restarts");
    }
    let origins = &server.config.origins;
    if !origins.allow(text(header::ORIGIN), text(header::HOST)) {
        return no(StatusCode::FORBIDDEN, "not from this origin");
    }
    let param = |name: &str| params.iter().find(|(known, _)| known == name);
    let Some(version) = Version::of(param("vsn").map(|(_, version)| &**version)) else {
        return no(StatusCode::FORBIDDEN, "versions are 1.0.0 and 2.0.0");
    };
    let resume = param("resume").map(|(_, token)| token.clone());
    if resume
        .as_ref()
        .is_some_and(|token| !TOKEN.contains(&token.len()))
    {
        return no(StatusCode::FORBIDDEN, "a resume token has 16 to 128 bytes");
    }
    let Some(permit) = server.enter() else {
        return no(StatusCode::SERVICE_UNAVAILABLE, "too many sockets");
    };
    let token = text(header::SEC_WEBSOCKET_PROTOCOL).and_then(auth_token);
    let connect = Connect {
        params,
        headers,
        token,
    };
    match server.app.connect(connect).await {
        Ok(user) => Ok(Guest {
            seat: resume.map(|token| SeatId {
                owner: server.app.owner(&user),
                token,
            }),
            user,
            version,
            permit,
        }),
        Err(error) => no(StatusCode::FORBIDDEN, &error.reason),
    }
}

/// The answer to the key of a handshake, and the connection as it will be.
fn upgrade(request: &mut Request) -> Option<(String, OnUpgrade)> {
    let headers = request.headers();
    let asks = request.method() == Method::GET
        && lists(headers, &header::CONNECTION, "upgrade")
        && lists(headers, &header::UPGRADE, "websocket")
        && lists(headers, &header::SEC_WEBSOCKET_VERSION, "13");
    let key = headers.get(header::SEC_WEBSOCKET_KEY)?;
    let accepts = derive_accept_key(key.as_bytes());
    let upgrade = request.extensions_mut().remove::<OnUpgrade>()?;
    asks.then_some((accepts, upgrade))
}

/// `speaks`: whether the client names a subprotocol, which it must then get.
fn switch(accepts: &str, speaks: bool) -> Response {
    let mut response = StatusCode::SWITCHING_PROTOCOLS.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accepts) = HeaderValue::from_str(accepts) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accepts);
    }
    if speaks {
        let protocol = HeaderValue::from_static(PROTOCOL);
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
    }
    response
}

/// Whether the header lists `word`, in whatever case.
fn lists(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let values = headers.get_all(name).into_iter();
    let mut words = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    words.any(|one| one.trim().eq_ignore_ascii_case(word))
}

/// The token in the subprotocols that the client offers.
fn auth_token(offered: &str) -> Option<String> {
    let mut tokens = offered
        .split(',')
        .filter_map(|one| one.trim().strip_prefix("base64url.bearer.phx."));
    let token = tokens.next_back()?;
    String::from_utf8(URL_SAFE_NO_PAD.decode(token.trim_end_matches('=')).ok()?).ok()
}
