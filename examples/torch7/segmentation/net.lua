-- A class for each pixel: an encoder, and a decoder that doubles the size twice.

local CLASSES = 3

return function(params)
    local channels = params.inputShape and params.inputShape[1] or 1
    local model = nn.Sequential()
    model:add(nn.MulConstant(1 / 256))
    model:add(nn.SpatialConvolution(channels, 16, 3, 3, 1, 1, 1, 1))
    model:add(nn.SpatialBatchNormalization(16)):add(nn.ReLU(true))
    model:add(nn.SpatialMaxPooling(2, 2, 2, 2))
    model:add(nn.SpatialConvolution(16, 32, 3, 3, 1, 1, 1, 1))
    model:add(nn.SpatialBatchNormalization(32)):add(nn.ReLU(true))
    model:add(nn.SpatialMaxPooling(2, 2, 2, 2))
    model:add(nn.SpatialFullConvolution(32, 16, 4, 4, 2, 2, 1, 1)):add(nn.ReLU(true))
    model:add(nn.SpatialFullConvolution(16, CLASSES, 4, 4, 2, 2, 1, 1))
    model:add(nn.SpatialLogSoftMax())
    return {
        model = model,
        loss = nn.SpatialClassNLLCriterion(),
        trainBatchSize = 8,
        -- the label is a picture of one channel whose values are class numbers from 0
        labelHook = function(input, dblabel)
            return dblabel:select(2, 1):add(1)
        end,
    }
end
