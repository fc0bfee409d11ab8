//! `/api/openapi.json` says what there is, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use actix_web::http::{Method, StatusCode};
use perennial::web::{Access, ProblemKind, ROUTES};
use serde_json::Value;

use crate::support::TestApp;
use crate::support::api::{ApiClient, read};

async fn description() -> Value {
    let app = TestApp::start().await;
    let answer = ApiClient::new(&app).send(Method::GET, "/api/openapi.json", &[], "").await;
    assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, "application/json"));
    read(&answer)
}

/// Returns each operation by its path and method.
fn operations(description: &Value) -> BTreeMap<(String, String), Value> {
    let paths = description["paths"].as_object().unwrap().iter();
    let found = paths.flat_map(|(path, item)| {
        item.as_object()
            .unwrap()
            .iter()
            .map(|(method, operation)| ((path.clone(), method.to_uppercase()), operation.clone()))
    });
    found.collect()
}

#[actix_web::test]
async fn every_route_of_the_api_is_described_and_nothing_else() {
    let described: BTreeSet<_> = operations(&description().await).into_keys().collect();
    let routes = ROUTES.iter().filter(|route| route.path.starts_with("/api"));
    // What answers GET answers HEAD, which says nothing of its own.
    let methods = routes.flat_map(|route| {
        let methods = route.methods.split(", ").filter(|method| *method != "HEAD");
        methods.map(|method| (route.path.to_owned(), method.to_owned()))
    });
    assert_eq!(described, methods.collect());
}

#[actix_web::test]
async fn every_operation_names_its_token_and_what_it_may_answer() {
    let description = description().await;
    assert_eq!(description["openapi"], "3.1.0");
    assert_eq!(description["info"]["version"], env!("CARGO_PKG_VERSION"));
    let mut names = BTreeSet::new();
    for ((path, method), operation) in operations(&description) {
        let route = ROUTES.iter().find(|route| route.path == path).unwrap();
        let token = &operation["security"][0];
        match (route.access, path.as_str()) {
            (Access::Bearer, "/api/refresh") => assert!(token["refresh_token"].is_array(), "{method} {path}"),
            (Access::Bearer, _) => assert!(token["access_token"].is_array(), "{method} {path}"),
            _ => assert!(token.is_null(), "{method} {path}"),
        }
        assert!(operation["summary"].is_string(), "{method} {path}");
        assert!(names.insert(operation["operationId"].as_str().unwrap().to_owned()), "{method} {path}");
        let responses = operation["responses"].as_object().unwrap();
        assert!(responses.keys().any(|status| status.starts_with('2')), "{method} {path}");
        for (status, response) in responses {
            assert!(response["description"].as_str().is_some_and(|words| !words.is_empty()), "{path} {status}");
            let content = response["content"].as_object();
            if status.as_str() >= "400" {
                let schema = &response["content"]["application/problem+json"]["schema"]["$ref"];
                assert_eq!(schema, "#/components/schemas/Problem", "{path} {status}");
            } else if status != "204" {
                assert_eq!(content.unwrap().keys().collect::<Vec<_>>(), ["application/json"], "{path} {status}");
            }
        }
        for parameter in path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
            let described = operation["parameters"].as_array().unwrap();
            assert!(described.iter().any(|it| it["name"] == parameter && it["in"] == "path" && it["required"] == true));
        }
    }
}

#[actix_web::test]
async fn every_reference_leads_somewhere_and_every_problem_is_named() {
    let description = description().await;
    let text = description.to_string();
    for (at, _) in text.match_indices("\"$ref\":\"#") {
        let pointer = text[at + 9..].split('"').next().unwrap();
        assert!(description.pointer(pointer).is_some(), "{pointer}");
    }
    for scheme in ["access_token", "refresh_token"] {
        let scheme = &description["components"]["securitySchemes"][scheme];
        assert_eq!((&scheme["type"], &scheme["scheme"]), (&"http".into(), &"bearer".into()));
    }
    for kind in ProblemKind::ALL.into_iter().filter(|kind| *kind != ProblemKind::MethodNotAllowed) {
        assert!(text.contains(&format!("`{}`", kind.uri())), "{kind:?}");
    }
}
