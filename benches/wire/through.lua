-- One request through a gateway, with a good token: wrk -s through.lua URL -- KEY RUN TOKENS
local requests, at = {}, 0

function init(args)
  for token in io.lines(args[3]) do
    requests[#requests + 1] = wrk.format("GET", "/", { ["authorization"] = "Bearer " .. token })
  end
  at = tonumber(args[2]) * 7919
end

function request()
  at = at % #requests + 1
  return requests[at]
end
