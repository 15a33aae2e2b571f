//! The services described for those who ask by reflection (`grpc.reflection.v1`), so that a tool can call them without a
//! `.proto` file.
//!
//! Of Envoy's messages only what this server reads and answers is described, by the names and numbers of Envoy's API; what
//! else a message may hold is no error. `google/protobuf/struct.proto` is described whole.

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, EnumValueDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
    FileDescriptorSet, MessageOptions, MethodDescriptorProto, OneofDescriptorProto, ServiceDescriptorProto,
};
use tonic_reflection::server::{Builder, Error};
use tower::util::BoxCloneSyncService;

use super::{Open, authorization, health};

pub(super) const REFLECTION: &str = "grpc.reflection.v1.ServerReflection";
pub(super) const REFLECTION_ALPHA: &str = "grpc.reflection.v1alpha.ServerReflection";

/// The services cannot be described.
#[derive(Debug, thiserror::Error)]
#[error("the gRPC services cannot be described")]
pub struct DescriptorError(#[from] Error);

/// Reflection, in its version 1 and in the one before.
pub(super) fn reflection() -> Result<[Open; 2], DescriptorError> {
    let builder = || {
        Builder::configure()
            .register_file_descriptor_set(FileDescriptorSet { file: files() })
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .with_service_name(authorization::SERVICE)
            .with_service_name(health::SERVICE)
    };
    let (v1, alpha) = (builder().build_v1()?, builder().build_v1alpha()?);
    Ok([BoxCloneSyncService::new(v1), BoxCloneSyncService::new(alpha)])
}

fn files() -> Vec<FileDescriptorProto> {
    vec![structs(), core(), http_status(), rpc_status(), authorization()]
}

const STRUCT: &str = "google/protobuf/struct.proto";
const CORE: &str = "envoy/config/core/v3/base.proto";
const HTTP_STATUS: &str = "envoy/type/v3/http_status.proto";
const RPC_STATUS: &str = "google/rpc/status.proto";

fn structs() -> FileDescriptorProto {
    let kind = |name, number, kind| Field { of: Some(0), ..Field::new(name, number, kind) };
    let values = [
        kind("null_value", 1, Kind::Enum(".google.protobuf.NullValue")),
        kind("number_value", 2, Kind::Plain(Type::Double)),
        kind("string_value", 3, Kind::STRING),
        kind("bool_value", 4, Kind::Plain(Type::Bool)),
        kind("struct_value", 5, Kind::Message(".google.protobuf.Struct")),
        kind("list_value", 6, Kind::Message(".google.protobuf.ListValue")),
    ];
    let mut value = message("Value", &values);
    value.oneof_decl = vec![OneofDescriptorProto { name: Some("kind".to_owned()), options: None }];
    let fields = Field::new("fields", 1, Kind::Message(".google.protobuf.Struct.FieldsEntry"));
    let mut object = message("Struct", &[fields.repeated()]);
    object.nested_type = vec![map_entry("FieldsEntry", Kind::Message(".google.protobuf.Value"))];
    let list = message("ListValue", &[Field::new("values", 1, Kind::Message(".google.protobuf.Value")).repeated()]);
    FileDescriptorProto {
        message_type: vec![object, value, list],
        enum_type: vec![enumeration("NullValue", &[("NULL_VALUE", 0)])],
        ..file(STRUCT, "google.protobuf", &[])
    }
}

fn core() -> FileDescriptorProto {
    const METADATA: &str = ".envoy.config.core.v3.Metadata.FilterMetadataEntry";
    const ACTION: &str = ".envoy.config.core.v3.HeaderValueOption.HeaderAppendAction";
    const HEADER: Kind = Kind::Message(".envoy.config.core.v3.HeaderValue");
    let mut metadata = message("Metadata", &[Field::new("filter_metadata", 1, Kind::Message(METADATA)).repeated()]);
    metadata.nested_type = vec![map_entry("FilterMetadataEntry", Kind::Message(".google.protobuf.Struct"))];
    let header = [
        Field::new("key", 1, Kind::STRING),
        Field::new("value", 2, Kind::STRING),
        Field::new("raw_value", 3, Kind::Plain(Type::Bytes)),
    ];
    let option = [Field::new("header", 1, HEADER), Field::new("append_action", 3, Kind::Enum(ACTION))];
    let mut option = message("HeaderValueOption", &option);
    let actions = [
        ("APPEND_IF_EXISTS_OR_ADD", 0),
        ("ADD_IF_ABSENT", 1),
        ("OVERWRITE_IF_EXISTS_OR_ADD", 2),
        ("OVERWRITE_IF_EXISTS", 3),
    ];
    option.enum_type = vec![enumeration("HeaderAppendAction", &actions)];
    let map = message("HeaderMap", &[Field::new("headers", 1, HEADER).repeated()]);
    FileDescriptorProto {
        message_type: vec![metadata, message("HeaderValue", &header), option, map],
        ..file(CORE, "envoy.config.core.v3", &[STRUCT])
    }
}

fn http_status() -> FileDescriptorProto {
    let status = message("HttpStatus", &[Field::new("code", 1, Kind::Enum(".envoy.type.v3.StatusCode"))]);
    FileDescriptorProto {
        message_type: vec![status],
        enum_type: vec![enumeration("StatusCode", &[("Empty", 0), ("Unauthorized", 401)])],
        ..file(HTTP_STATUS, "envoy.type.v3", &[])
    }
}

fn rpc_status() -> FileDescriptorProto {
    let fields = [Field::new("code", 1, Kind::Plain(Type::Int32)), Field::new("message", 2, Kind::STRING)];
    FileDescriptorProto { message_type: vec![message("Status", &fields)], ..file(RPC_STATUS, "google.rpc", &[]) }
}

fn authorization() -> FileDescriptorProto {
    const CONTEXT: &str = ".envoy.service.auth.v3.AttributeContext";
    const OPTION: Kind = Kind::Message(".envoy.config.core.v3.HeaderValueOption");
    let http_request = [
        Field::new("headers", 3, Kind::Message(".envoy.service.auth.v3.AttributeContext.HttpRequest.HeadersEntry"))
            .repeated(),
        Field::new("header_map", 13, Kind::Message(".envoy.config.core.v3.HeaderMap")),
    ];
    let mut http_request = message("HttpRequest", &http_request);
    http_request.nested_type = vec![map_entry("HeadersEntry", Kind::STRING)];
    let request = [Field::new("http", 2, Kind::Message(".envoy.service.auth.v3.AttributeContext.HttpRequest"))];
    let context = [
        Field::new("request", 4, Kind::Message(".envoy.service.auth.v3.AttributeContext.Request")),
        Field::new("metadata_context", 11, Kind::Message(".envoy.config.core.v3.Metadata")),
    ];
    let mut context = message("AttributeContext", &context);
    context.nested_type = vec![message("Request", &request), http_request];
    let denied = [
        Field::new("status", 1, Kind::Message(".envoy.type.v3.HttpStatus")),
        Field::new("headers", 2, OPTION).repeated(),
        Field::new("body", 3, Kind::STRING),
    ];
    let ok = [Field::new("headers", 2, OPTION).repeated(), Field::new("headers_to_remove", 5, Kind::STRING).repeated()];
    let answers = |name, number, kind| Field { of: Some(0), ..Field::new(name, number, Kind::Message(kind)) };
    let response = [
        Field::new("status", 1, Kind::Message(".google.rpc.Status")),
        answers("denied_response", 2, ".envoy.service.auth.v3.DeniedHttpResponse"),
        answers("ok_response", 3, ".envoy.service.auth.v3.OkHttpResponse"),
    ];
    let mut response = message("CheckResponse", &response);
    response.oneof_decl = vec![OneofDescriptorProto { name: Some("http_response".to_owned()), options: None }];
    let check = MethodDescriptorProto {
        name: Some("Check".to_owned()),
        input_type: Some(".envoy.service.auth.v3.CheckRequest".to_owned()),
        output_type: Some(".envoy.service.auth.v3.CheckResponse".to_owned()),
        ..MethodDescriptorProto::default()
    };
    let service = ServiceDescriptorProto { name: Some("Authorization".to_owned()), method: vec![check], options: None };
    FileDescriptorProto {
        message_type: vec![
            context,
            message("CheckRequest", &[Field::new("attributes", 1, Kind::Message(CONTEXT))]),
            message("DeniedHttpResponse", &denied),
            message("OkHttpResponse", &ok),
            response,
        ],
        service: vec![service],
        ..file("envoy/service/auth/v3/external_auth.proto", "envoy.service.auth.v3", &[CORE, HTTP_STATUS, RPC_STATUS])
    }
}

fn file(name: &str, package: &str, dependencies: &[&str]) -> FileDescriptorProto {
    FileDescriptorProto {
        name: Some(name.to_owned()),
        package: Some(package.to_owned()),
        dependency: dependencies.iter().map(|name| (*name).to_owned()).collect(),
        syntax: Some("proto3".to_owned()),
        ..FileDescriptorProto::default()
    }
}

/// What a field holds; types by their whole name.
#[derive(Clone, Copy)]
enum Kind {
    Plain(Type),
    Message(&'static str),
    Enum(&'static str),
}

impl Kind {
    const STRING: Self = Self::Plain(Type::String);
}

#[derive(Clone, Copy)]
struct Field {
    name: &'static str,
    number: i32,
    kind: Kind,
    label: Label,
    /// The `oneof` of its message that it is of.
    of: Option<i32>,
}

impl Field {
    const fn new(name: &'static str, number: i32, kind: Kind) -> Self {
        Self { name, number, kind, label: Label::Optional, of: None }
    }

    const fn repeated(self) -> Self {
        Self { label: Label::Repeated, ..self }
    }

    fn described(&self) -> FieldDescriptorProto {
        let (kind, type_name) = match self.kind {
            Kind::Plain(kind) => (kind, None),
            Kind::Message(name) => (Type::Message, Some(name.to_owned())),
            Kind::Enum(name) => (Type::Enum, Some(name.to_owned())),
        };
        FieldDescriptorProto {
            name: Some(self.name.to_owned()),
            number: Some(self.number),
            label: Some(self.label.into()),
            r#type: Some(kind.into()),
            type_name,
            oneof_index: self.of,
            ..FieldDescriptorProto::default()
        }
    }
}

fn message(name: &str, fields: &[Field]) -> DescriptorProto {
    let field = fields.iter().map(Field::described).collect();
    DescriptorProto { name: Some(name.to_owned()), field, ..DescriptorProto::default() }
}

/// The message that an entry of a map from strings is on the wire.
fn map_entry(name: &str, value: Kind) -> DescriptorProto {
    let options = Some(MessageOptions { map_entry: Some(true), ..MessageOptions::default() });
    let fields = [Field::new("key", 1, Kind::STRING), Field::new("value", 2, value)];
    DescriptorProto { options, ..message(name, &fields) }
}

fn enumeration(name: &str, values: &[(&str, i32)]) -> EnumDescriptorProto {
    let value = |(name, number): &(&str, i32)| EnumValueDescriptorProto {
        name: Some((*name).to_owned()),
        number: Some(*number),
        options: None,
    };
    EnumDescriptorProto {
        name: Some(name.to_owned()),
        value: values.iter().map(value).collect(),
        ..EnumDescriptorProto::default()
    }
}
