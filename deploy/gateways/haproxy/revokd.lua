-- Asks revokd about a request. Sets txn.revokd_status to the status of its answer, or to nothing where there is none;
-- txn.revokd_challenge to its WWW-Authenticate; and on the request what revokd says of the token.

local url, key = ...
local TIMEOUT_MS = 1000
local SAID = { "x-auth-subject", "x-auth-issuer", "x-auth-client-id", "x-auth-jti", "x-revocation-seq" }

core.register_action("revokd", { "http-req" }, function(txn)
    local headers = { ["x-api-key"] = { key } }
    -- Every value, for revokd refuses a request that has two. HAProxy counts them from 0, a table of Lua from 1.
    local authorization = txn.http:req_get_headers()["authorization"]
    if authorization then
        headers["authorization"] = table.move(authorization, 0, #authorization, 1, {})
    end

    local answer = core.httpclient():get({ url = url, headers = headers, timeout = TIMEOUT_MS })
    if not answer or not answer.status then
        return
    end
    local challenge = answer.headers and answer.headers["www-authenticate"]
    txn:set_var("txn.revokd_challenge", challenge and challenge[0] or "Bearer")
    if answer.status == 200 then
        for _, name in ipairs(SAID) do
            local said = answer.headers[name]
            if said then
                txn.http:req_set_header(name, said[0])
            end
        end
    end
    -- Last, so that whatever fails above leaves no verdict.
    txn:set_var("txn.revokd_status", answer.status)
end)
