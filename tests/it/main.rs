//! The integration tests: one binary, a module per endpoint or theme.
#![allow(missing_docs, clippy::unwrap_used, clippy::missing_panics_doc, unreachable_pub)]

mod architecture;
mod certificates;
mod cli;
mod cli_bulk;
mod cli_config;
mod cli_keys;
mod cli_server;
mod cli_support;
mod cli_target;
mod cli_tls;
mod cli_verbs;
mod clients;
mod config;
mod config_gateways;
mod config_shipped;
mod config_support;
mod config_tls;
mod crash;
mod filter_protocol;
mod gateway_listeners;
